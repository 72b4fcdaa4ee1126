/** Compiles only if `Got` and `Wanted` are the same type. */
export function expectType<Wanted>() {
  return <Got>(
    ..._: (<T>() => T extends Got ? 1 : 2) extends <T>() => T extends Wanted ? 1 : 2 ? [got: Got] : ['another type']
  ): void => undefined;
}
