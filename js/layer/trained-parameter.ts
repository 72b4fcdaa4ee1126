/** A parameter that training changes, and where it lies among those of its layer. */
export interface TrainedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Elements before it. */
  readonly at: number;
  /** Of a recurrent layer: C++'s handle of the cell that it belongs to. */
  readonly cell?: number;
}
