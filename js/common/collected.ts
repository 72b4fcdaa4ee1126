/**
 * Calls `free` with what was registered for an object, once that is collected. Never in engines that do not tell: there
 * whatever is not disposed stays.
 */
export function whenCollected<Held>(
  free: (held: Held) => void,
): Pick<FinalizationRegistry<Held>, 'register' | 'unregister'> {
  if (typeof FinalizationRegistry !== 'undefined') return new FinalizationRegistry(free);
  return { register: () => undefined, unregister: () => false };
}
