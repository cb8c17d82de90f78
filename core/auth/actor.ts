/** Who asks. */
export const ROLES = ["reader", "editor", "admin"] as const;
export type Role = typeof ROLES[number];

export interface Actor {
  readonly user: string;
  readonly role: Role;
}
