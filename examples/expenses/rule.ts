/**
 * Which step of a declaration may follow which: data, in the words of the log. What followed once may follow.
 *
 * Derived by `derive.ts` from 8,285 cases, the first 80 % of the log's 10,357. Do not edit.
 */

/** Steps that may be the first. */
export const first = [
  "Declaration SAVED by EMPLOYEE",
  "Declaration SUBMITTED by EMPLOYEE"
] as const

/** Steps that may come right after a step. */
export const next = {
  "Declaration APPROVED by ADMINISTRATION": [
    "Declaration APPROVED by BUDGET OWNER",
    "Declaration FINAL_APPROVED by SUPERVISOR",
    "Declaration REJECTED by BUDGET OWNER",
    "Declaration REJECTED by SUPERVISOR"
  ],
  "Declaration APPROVED by BUDGET OWNER": [
    "Declaration FINAL_APPROVED by SUPERVISOR",
    "Declaration REJECTED by SUPERVISOR"
  ],
  "Declaration APPROVED by PRE_APPROVER": [
    "Declaration FINAL_APPROVED by SUPERVISOR",
    "Declaration REJECTED by SUPERVISOR"
  ],
  "Declaration FINAL_APPROVED by SUPERVISOR": [
    "Declaration REJECTED by MISSING",
    "Payment Handled",
    "Request Payment"
  ],
  "Declaration REJECTED by ADMINISTRATION": [
    "Declaration REJECTED by EMPLOYEE",
    "Declaration SUBMITTED by EMPLOYEE"
  ],
  "Declaration REJECTED by BUDGET OWNER": [
    "Declaration REJECTED by EMPLOYEE"
  ],
  "Declaration REJECTED by EMPLOYEE": [
    "Declaration SUBMITTED by EMPLOYEE"
  ],
  "Declaration REJECTED by MISSING": [
    "Declaration SUBMITTED by EMPLOYEE"
  ],
  "Declaration REJECTED by PRE_APPROVER": [
    "Declaration REJECTED by EMPLOYEE",
    "Declaration SUBMITTED by EMPLOYEE"
  ],
  "Declaration REJECTED by SUPERVISOR": [
    "Declaration REJECTED by EMPLOYEE",
    "Declaration SUBMITTED by EMPLOYEE",
    "Request Payment"
  ],
  "Declaration SAVED by EMPLOYEE": [
    "Request Payment"
  ],
  "Declaration SUBMITTED by EMPLOYEE": [
    "Declaration APPROVED by ADMINISTRATION",
    "Declaration APPROVED by PRE_APPROVER",
    "Declaration FINAL_APPROVED by SUPERVISOR",
    "Declaration REJECTED by ADMINISTRATION",
    "Declaration REJECTED by EMPLOYEE",
    "Declaration REJECTED by PRE_APPROVER",
    "Declaration REJECTED by SUPERVISOR"
  ],
  "Payment Handled": [
    "Declaration REJECTED by EMPLOYEE"
  ],
  "Request Payment": [
    "Declaration REJECTED by MISSING",
    "Payment Handled"
  ]
} as const
