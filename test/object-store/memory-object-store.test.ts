import test from 'ava';
import { MemoryObjectStore } from './memory-object-store.js';
import { objectStoreSuite } from './object-store-suite.js';

objectStoreSuite(test, 'in memory', () => ({
  store: new MemoryObjectStore({ minPartSize: 1000 }),
  prefix: '',
}));
