import test from 'ava';
import { SlotAllocator, type Slot } from '../../src/staging/slot-allocator.js';
import { fc } from '../seed.js';

test('slots never overlap, stay within the limit, and become whole again', (t) => {
  const step = fc.oneof(
    fc.record({ length: fc.integer({ min: 1, max: 64 }) }),
    fc.record({ free: fc.nat({ max: 1000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { size: 'max', maxLength: 200 }), (steps) => {
      const allocator = new SlotAllocator(4, 64, 320);
      const taken: Slot[] = [];
      for (const step of steps) {
        if ('length' in step) {
          const slot = allocator.allocate(step.length);
          if (!slot) continue;
          t.true(slot.length >= step.length && slot.length < Math.max(8, step.length * 2));
          t.true(slot.position + slot.length <= 320);
          for (const other of taken) {
            t.true(
              slot.position + slot.length <= other.position || other.position + other.length <= slot.position,
            );
          }
          taken.push(slot);
        } else {
          const [slot] = taken.splice(step.free % Math.max(1, taken.length), 1);
          if (slot) allocator.free(slot);
        }
        allocator.checkInvariants();
        t.is(
          allocator.allocatedBytes,
          taken.reduce((sum, { length }) => sum + length, 0),
        );
      }
      for (const slot of taken) allocator.free(slot);
      for (let block = 0; block < 5; block++) t.truthy(allocator.allocate(64));
      t.is(allocator.allocate(1), undefined);
    }),
    { numRuns: 200 },
  );
});

test('a slot cannot be freed twice', (t) => {
  const allocator = new SlotAllocator(4, 64, 320);
  const slot = allocator.allocate(10);
  if (!slot) return t.fail();
  allocator.free(slot);
  t.throws(() => {
    allocator.free(slot);
  });
});
