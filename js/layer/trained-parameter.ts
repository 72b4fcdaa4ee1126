/** A parameter that training changes, and where it lies among those of its layer. */
export interface TrainedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Elements before it. */
  readonly at: number;
  /** Of a recurrent layer: C++'s handle of the cell that it belongs to. */
  readonly cell?: number;
}

/** One as optimisers see it. */
export interface UpdatedParameter {
  readonly shape: readonly number[];
  /** Lets `change` write it at its address, which may be `scratch`, where there is room for it. */
  update(change: (address: number) => void, scratch: number): void;
}
