/** A user unit of systemd that mounts a bucket: systemd.service(5), systemd.unit(5), systemd.syntax(7). Pure. */

interface UnitContent {
  readonly bucket: string;
  /** Absolute. */
  readonly mountpoint: string;
  /** The program and what comes before its command, absolute. */
  readonly program: readonly string[];
  /** Options of `osirisfs mount`. */
  readonly options: readonly string[];
  /** None of them secret. */
  readonly environment: Readonly<Record<string, string>>;
}

export function systemdUnit({ bucket, mountpoint, program, options, environment }: UnitContent): string {
  const mount = [...program, 'mount', bucket, mountpoint, ...options, '--foreground'];
  return [
    '[Unit]',
    `Description=${escapeSpecifiers(`Bucket ${bucket} on ${mountpoint}`)}`,
    '',
    '[Service]',
    'Type=exec',
    ...Object.entries(environment).map(([name, value]) => `Environment=${quote(`${name}=${value}`)}`),
    `ExecStart=${mount.map(quoteArgument).join(' ')}`,
    `ExecStop=${[...program, 'umount', mountpoint].map(quoteArgument).join(' ')}`,
    'Restart=on-failure',
    'RestartSec=10',
    '# Long enough for what is still on its way to the bucket.',
    'TimeoutStopSec=infinity',
    '',
    '[Install]',
    'WantedBy=default.target',
  ].join('\n');
}

/** In a command line a dollar sign begins a variable. */
function quoteArgument(text: string): string {
  return quote(text).replaceAll('$', '$$$$');
}

function quote(text: string): string {
  const escaped = text
    .replaceAll('%', '%%')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n');
  return /^[\w@:./=+,-]+$/.test(text) ? text : `"${escaped}"`;
}

function escapeSpecifiers(text: string): string {
  return text.replaceAll('%', '%%').replaceAll('\n', ' ');
}
