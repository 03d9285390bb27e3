/**
 * A network link with a delay and a rate, between two TUN devices that it makes: what enters one leaves the other, later. For
 * kernels without netem, and without root's modules. Prints the line `ready`; then reads delays for each direction from standard
 * input, in milliseconds, one a line. The devices go when it ends, which it does at the end of its input.
 *
 * Usage: delay-line.js DEVICE DEVICE MBIT_PER_SECOND. Packets are TCP's before segmentation (up to 64 KiB), with the header by which the
 * other device segments them (linux/virtio_net.h): a gigabit would otherwise be 80,000 packets a second.
 */
import { read, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import koffi from 'koffi';
import { exitImmediately } from '../../src/native/exit-immediately.js';
import { PacketSchedule } from './packet-schedule.js';

/** linux/if_tun.h */
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const IFF_TUN = 0x1;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 0x1;
const TUN_F_TSO4 = 0x2;
/** struct ifreq, net/if.h. */
const ifreqBytes = 40;
const nameBytes = 16;

const ioctl = koffi.load('libc.so.6').func('int ioctl(int descriptor, unsigned long request, ...)') as (
  descriptor: number,
  request: number,
  ...rest: unknown[]
) => number;

const [first = '', second = '', megabits = ''] = process.argv.slice(2);
const one = openDevice(first);
const other = openDevice(second);
const bytesPerMs = (Number(megabits) * 1e6) / 8 / 1000;
const schedules = [join(one, other), join(other, one)];
const input = createInterface({ input: process.stdin });
input.on('line', (line) => schedules.forEach((schedule) => schedule.setDelay(Number(line))));
// Reads of the devices never return, and would be waited for.
input.on('close', () => exitImmediately(0));
process.stdout.write('ready\n');

function openDevice(name: string): number {
  const descriptor = openSync('/dev/net/tun', 'r+');
  const request = Buffer.alloc(ifreqBytes);
  request.write(name, 0, nameBytes - 1);
  request.writeInt16LE(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, nameBytes);
  if (ioctl(descriptor, TUNSETIFF, 'void *', request) < 0) fail(`the device ${name} cannot be made`);
  if (ioctl(descriptor, TUNSETOFFLOAD, 'unsigned long', TUN_F_CSUM | TUN_F_TSO4) < 0) {
    fail(`${name} takes no packets before segmentation`);
  }
  return descriptor;
}

/** One direction. */
function join(from: number, to: number): PacketSchedule {
  const schedule = new PacketSchedule(bytesPerMs);
  const buffer = Buffer.alloc(2 ** 17);
  let timer: NodeJS.Timeout | undefined;
  const deliver = (): void => {
    timer = undefined;
    for (const packet of schedule.takeDue(performance.now())) sendPacket(to, packet);
    wait();
  };
  const wait = (): void => {
    const dueMs = schedule.nextDueMs();
    if (timer === undefined && dueMs !== undefined) {
      timer = setTimeout(deliver, Math.max(0, dueMs - performance.now()));
    }
  };
  const receive = (): void =>
    read(from, buffer, 0, buffer.length, null, (error, length) => {
      if (error === null) {
        schedule.add(Buffer.from(buffer.subarray(0, length)), performance.now());
        wait();
        receive();
      } else if (error.code === 'EBADFD' || error.code === 'EIO') {
        // The device is not up yet.
        setTimeout(receive, 10);
      } else {
        fail(`a device cannot be read: ${error.message}`);
      }
    });
  receive();
  return schedule;
}

/** What the other side does not take is lost, as on a network. */
function sendPacket(to: number, packet: Buffer): void {
  try {
    writeSync(to, packet);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EIO' && code !== 'EINVAL' && code !== 'ENOBUFS' && code !== 'EBADFD') throw error;
  }
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  return exitImmediately(1);
}
