/** The state of a port, as `/ready` shows it. */
export interface Health {
  readonly ok: boolean;
  /** What is wrong, for the operator. */
  readonly detail?: string;
}
