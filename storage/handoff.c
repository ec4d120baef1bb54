#include "storage/handoff.h"

enum { RUNNING, RETURNED, FINISHED };

void annals_store_op_begin(struct annals_store_op *op) {
  op->outcome = ANNALS_STORE_OK;
  op->detail[0] = '\0';
  op->scratch = NULL;
  g_atomic_int_set(&op->handoff, RUNNING);
}

enum annals_store_progress annals_store_op_return(struct annals_store_op *op) {
  return g_atomic_int_compare_and_exchange(&op->handoff, RUNNING, RETURNED) ? ANNALS_STORE_PENDING
                                                                            : ANNALS_STORE_DONE;
}

void annals_store_op_finish(struct annals_store_op *op) {
  if (!g_atomic_int_compare_and_exchange(&op->handoff, RUNNING, FINISHED)) {
    op->on_done(op);
  }
}
