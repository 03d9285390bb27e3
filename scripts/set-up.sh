# shellcheck shell=bash
# What demo, test and the other scripts need before they can begin: Node, Debian packages, npm packages, the build.
# Sourced by them, with $root set to the repository's folder. Each step does nothing if it has been done.
: "${root:?}"

# set_up demo|test|test-on-gateway|bench: everything, or exits with what the user has to do.
set_up() {
  need_node
  need_programs "$1"
  need_fuse_device
  install_npm_packages
  build
}

say() { echo "${0##*/}: $*" >&2; }

need_node() {
  local version
  version=$(node --version 2>/dev/null) || {
    say "Node.js 20.19 or later is needed, and there is no node in PATH (Debian 12's own is too old: see nodejs.org)"
    exit 1
  }
  node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' || {
    say "Node.js 20.19 or later is needed; this is $version"
    exit 1
  }
  command -v npm >/dev/null || {
    say "npm, which comes with Node.js, is not in PATH"
    exit 1
  }
}

# Installs the missing Debian packages as root; anybody else is told the command.
need_programs() {
  local missing
  missing=$(missing_packages "$1")
  [ -n "$missing" ] || return 0
  local install="apt-get install -y --no-install-recommends $missing"
  if [ "$(id -u)" != 0 ]; then
    say "Debian packages are missing; run this and try again: sudo $install"
    exit 1
  fi
  command -v apt-get >/dev/null || {
    say "programs of these Debian packages are missing, and this is not Debian: $missing"
    exit 1
  }
  say "installing $missing"
  # The lists of a fresh machine are empty or old.
  DEBIAN_FRONTEND=noninteractive $install </dev/null >/dev/null 2>&1 || {
    apt-get update </dev/null >/dev/null && DEBIAN_FRONTEND=noninteractive $install </dev/null >/dev/null
  } || exit
  missing=$(missing_packages "$1")
  [ -z "$missing" ] || {
    say "these packages were installed, and their programs are missing all the same: $missing"
    exit 1
  }
}

missing_packages() {
  local missing='' program
  command -v fusermount3 >/dev/null || missing+=' fuse3'
  if [ "$1" = test ] || [ "$1" = bench ]; then missing+=" $("$root/scripts/rgw" packages)"; fi
  if [ "$1" = bench ]; then
    for program in s3fs rclone fio curl git rsync openssl; do
      command -v "$program" >/dev/null || missing+=" $program"
    done
    command -v tc >/dev/null || missing+=' iproute2'
    command -v nsenter >/dev/null || missing+=' util-linux'
  elif [ "$1" != demo ]; then
    # The tests look at the bucket with Python's clients, as other users of it do.
    /usr/bin/python3 -c 'import boto3' 2>/dev/null || missing+=' python3-boto3'
    /usr/bin/python3 -c 'import boto' 2>/dev/null || missing+=' python3-boto'
    command -v setfattr >/dev/null || missing+=' attr'
    command -v pgrep >/dev/null || missing+=' procps'
    # Programs that run on mounts. vi is one of vim-tiny, vim and others; s3fs takes fuse3, which provides fuse.
    for program in git rsync fio dbench sqlite3 rclone s3fs; do
      command -v "$program" >/dev/null || missing+=" $program"
    done
    command -v vi >/dev/null || missing+=' vim-tiny'
  fi
  echo "${missing# }"
}

# unmount_below DIR: what was cut short could not unmount. Deleting through a mount would delete in the bucket.
unmount_below() {
  local mountpoint
  awk -v under="$1/" 'index($5, under) == 1 { print $5 }' /proc/self/mountinfo | while read -r mountpoint; do
    say "unmounting what was left: $mountpoint"
    fusermount3 -uz "$(printf '%b' "${mountpoint//\\/\\0}")"
  done
}

need_fuse_device() {
  if [ ! -e /dev/fuse ] && [ "$(id -u)" = 0 ]; then
    modprobe fuse 2>/dev/null || mknod -m 666 /dev/fuse c 10 229 || true
  fi
  { : <>/dev/fuse; } 2>/dev/null || {
    say "/dev/fuse is missing or may not be opened; in a container it has to be passed in (docker run --device /dev/fuse --cap-add SYS_ADMIN)"
    exit 1
  }
}

# The copy of the lock file tells what is installed: times of files say little after a git checkout. No package's
# install script is needed. A linked node_modules is somebody else's to keep.
install_npm_packages() {
  if [ -L "$root/node_modules" ] || cmp -s "$root/package-lock.json" "$root/node_modules/.installed-lock.json"; then
    return
  fi
  say "installing npm packages"
  (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2 &&
    cp package-lock.json node_modules/.installed-lock.json) || exit
}

build() {
  if [ -e "$root/dist/.built" ] && [ -z "$(cd "$root" && find src test scripts tsconfig.json package.json -newer dist/.built)" ]; then
    return
  fi
  say "building"
  # The mark carries the time before the build: what changes while it runs is built again.
  local mark
  mark=$(mktemp)
  (cd "$root" && npm run --silent build </dev/null >&2 && cp -p "$mark" dist/.built) || exit
  rm -f "$mark"
}
