#include "server/history/rekey.h"

#include "server/history/arn.h"
#include "server/history/constraint.h"
#include "server/history/error.h"
#include "server/history/key_fetch.h"
#include "storage/frame.h"

/*
 *    ┌────────────────────────────────┐ the last one is destroyed; or it is another execution
 *    ▼                                │
 *   TAIL ──► RECORD ──► WRAP ──► PUT ─┴─► done
 *             ▲ │ └──────────────►▲ │
 *             └─┴───────────────────┘ the next data key
 *
 * TAIL tells how many data keys there are, RECORD gets one, WRAP has it wrapped anew, PUT puts it
 * in the place of the one that was read. Each state may suspend, and any may fail.
 *
 * An append that began before may bring a data key along. If it was faster than a PUT, the TAIL
 * behind the last one finds it; if not, the store refuses it, and when it tries again its last data
 * key is one that was destroyed.
 */
enum step { STEP_TAIL, STEP_RECORD, STEP_WRAP, STEP_PUT };

static struct annals_store *store_of(const struct annals_rekey *rekey) {
  return annals_history_options(rekey->history)->store;
}

static bool fail(struct annals_rekey *rekey, GError *error) {
  annals_history_name_damaged(error, rekey->request.execution_arn);
  rekey->error = error;
  return false;
}

static bool fail_store(struct annals_rekey *rekey, const struct annals_store_op *op) {
  return fail(rekey, op->outcome == ANNALS_STORE_NOT_FOUND
                         ? annals_history_missing_error(rekey->request.execution_arn)
                         : annals_history_write_error(op));
}

static GError *check_request(struct annals_history *history,
                             const struct annals_rekey_request *request) {
  GError *error = NULL;
  annals_constraint_execution_arn(&error, request->execution_arn);
  if (error != NULL) {
    return error;
  }
  enum annals_action action =
      request->destroy ? ANNALS_ACTION_DESTROY_DATA_KEYS : ANNALS_ACTION_REWRAP_DATA_KEYS;
  bool ok = annals_execution_arn_check(request->execution_arn, &error) &&
            annals_authorize(history, request->principal, action, request->execution_arn, &error);
  if (ok && annals_history_options(history)->store->ops->put_data_key == NULL) {
    return annals_error_new(ANNALS_REASON_UNSUPPORTED, "the server's store keeps no data keys");
  }
  if (ok && !request->destroy && annals_history_options(history)->data_keys == NULL) {
    return annals_error_new(ANNALS_REASON_KMS_NOT_CONFIGURED, "%s",
                            annals_reason_info(ANNALS_REASON_KMS_NOT_CONFIGURED)->meaning);
  }
  return error;
}

/* --- the steps --- */

static void go_on(struct annals_rekey *rekey);

static void on_store(struct annals_store_op *op) {
  go_on(op->owner);
}

static void on_wrapped(struct annals_key_call *call) {
  go_on(call->user);
}

static bool start_tail(struct annals_rekey *rekey) {
  rekey->tail = (struct annals_store_tail){
      .op = {.on_done = on_store, .owner = rekey},
      .arn = rekey->request.execution_arn,
  };
  return store_of(rekey)->ops->tail(store_of(rekey), &rekey->tail) == ANNALS_STORE_DONE;
}

static bool start_record(struct annals_rekey *rekey) {
  g_clear_pointer(&rekey->get.record, g_bytes_unref);
  annals_data_key_record_clear(&rekey->record);
  rekey->get = (struct annals_store_get_data_key){
      .op = {.on_done = on_store, .owner = rekey},
      .arn = rekey->request.execution_arn,
      .ordinal = rekey->ordinal,
  };
  return store_of(rekey)->ops->get_data_key(store_of(rekey), &rekey->get) == ANNALS_STORE_DONE;
}

/* The provider calls back in any case. */
static bool start_wrap(struct annals_rekey *rekey) {
  struct annals_key_provider *provider =
      annals_data_keys_provider(annals_history_options(rekey->history)->data_keys);
  rekey->call = (struct annals_key_call){
      .key_id = rekey->record.kms_key_id,
      .context_name = ANNALS_ENCRYPTION_CONTEXT_NAME,
      .context_value = rekey->request.execution_arn,
      .on_done = on_wrapped,
      .user = rekey,
  };
  provider->ops->rewrap(provider, &rekey->call, rekey->record.wrapped, rekey->record.kms_key_arn);
  return false;
}

static bool start_put(struct annals_rekey *rekey) {
  gsize size;
  g_clear_pointer(&rekey->new_record, g_bytes_unref);
  rekey->new_record = annals_data_key_record_write(&rekey->record);
  const uint8_t *bytes = g_bytes_get_data(rekey->new_record, &size);
  rekey->put = (struct annals_store_put_data_key){
      .op = {.on_done = on_store, .owner = rekey},
      .arn = rekey->request.execution_arn,
      .data_key = {.ordinal = rekey->ordinal, .record = bytes, .record_bytes = size},
      .expected = rekey->get.record,
  };
  return store_of(rekey)->ops->put_data_key(store_of(rekey), &rekey->put) == ANNALS_STORE_DONE;
}

static bool start_step(struct annals_rekey *rekey) {
  switch ((enum step)rekey->step) {
    case STEP_TAIL:
      return start_tail(rekey);
    case STEP_RECORD:
      return start_record(rekey);
    case STEP_WRAP:
      return start_wrap(rekey);
    case STEP_PUT:
      return start_put(rekey);
  }
  g_assert_not_reached();
}

static bool take_next(struct annals_rekey *rekey) {
  if (rekey->ordinal < rekey->last_ordinal) {
    rekey->ordinal++;
    rekey->step = STEP_RECORD;
    return true;
  }
  rekey->step = STEP_TAIL;
  return rekey->request.destroy;
}

static bool finish_tail(struct annals_rekey *rekey) {
  struct annals_frame frame;
  gsize size;
  size_t offset = 0;
  if (rekey->tail.op.outcome == ANNALS_STORE_NOT_FOUND && rekey->ordinal > 0) {
    return false; /* deleted, behind the last data key */
  }
  if (rekey->tail.op.outcome != ANNALS_STORE_OK) {
    return fail_store(rekey, &rekey->tail.op);
  }
  const uint8_t *bytes = g_bytes_get_data(rekey->tail.last_event, &size);
  rekey->last_ordinal = annals_frame_next(bytes, size, &offset, &frame) ? frame.data_key : 0;
  g_clear_pointer(&rekey->tail.last_event, g_bytes_unref);
  if (rekey->last_ordinal == 0 && rekey->ordinal == 0) {
    GError *error = annals_error_new(ANNALS_REASON_INVALID_REQUEST,
                                     "execution_arn: the execution is not encrypted");
    annals_error_add_metadata(error, "field", "execution_arn");
    return fail(rekey, error);
  }
  return rekey->ordinal < rekey->last_ordinal && take_next(rekey);
}

static bool finish_record(struct annals_rekey *rekey) {
  if (rekey->get.op.outcome != ANNALS_STORE_OK) {
    return fail_store(rekey, &rekey->get.op);
  }
  if (!annals_data_key_record_read(rekey->get.record, &rekey->record)) {
    return fail(rekey, annals_history_damage_error("the record of a data key"));
  }
  if (rekey->record.wrapped == NULL) {
    return take_next(rekey);
  }
  rekey->step = rekey->request.destroy ? STEP_PUT : STEP_WRAP;
  if (rekey->request.destroy) {
    g_clear_pointer(&rekey->record.wrapped, g_bytes_unref);
    rekey->record.destroyed_at_ms = MAX(annals_history_now_us(rekey->history) / 1000, 1);
  }
  return true;
}

static bool finish_wrap(struct annals_rekey *rekey) {
  struct annals_key_call *call = &rekey->call;
  if (call->status == ANNALS_KEY_OK) {
    g_clear_pointer(&rekey->record.wrapped, g_bytes_unref);
    rekey->record.wrapped = g_steal_pointer(&call->wrapped);
    g_free(rekey->record.kms_key_arn);
    rekey->record.kms_key_arn = g_steal_pointer(&call->key_arn);
    rekey->step = STEP_PUT;
  } else {
    fail(rekey, annals_key_error(call->status, call->key_state, call->message));
  }
  g_clear_pointer(&call->message, g_free);
  g_clear_pointer(&call->key_arn, g_free);
  return rekey->error == NULL;
}

static bool finish_put(struct annals_rekey *rekey) {
  if (rekey->put.op.outcome == ANNALS_STORE_CONFLICT) {
    rekey->step = STEP_TAIL; /* it is another execution by now */
    rekey->ordinal = 0;
    return true;
  }
  if (rekey->put.op.outcome != ANNALS_STORE_OK) {
    return fail_store(rekey, &rekey->put.op);
  }
  rekey->key_count++;
  return take_next(rekey);
}

/* Takes the result of the step that is done; returns whether there is another one. */
static bool finish_step(struct annals_rekey *rekey) {
  switch ((enum step)rekey->step) {
    case STEP_TAIL:
      return finish_tail(rekey);
    case STEP_RECORD:
      return finish_record(rekey);
    case STEP_WRAP:
      return finish_wrap(rekey);
    case STEP_PUT:
      return finish_put(rekey);
  }
  g_assert_not_reached();
}

/* What was in memory of the keys is not what is stored any more. */
static void finish(struct annals_rekey *rekey) {
  struct annals_data_keys *keys = annals_history_options(rekey->history)->data_keys;
  if (keys != NULL) {
    annals_data_keys_forget(keys, rekey->request.execution_arn);
  }
  annals_history_end_rekey(rekey->history);
}

static enum annals_progress advance(struct annals_rekey *rekey) {
  while (finish_step(rekey)) {
    if (annals_cancel_is_due(rekey->cancel)) {
      rekey->error = annals_cancel_error(rekey->cancel);
      break;
    }
    if (!start_step(rekey)) {
      return ANNALS_PENDING;
    }
  }
  finish(rekey);
  return ANNALS_DONE;
}

static void go_on(struct annals_rekey *rekey) {
  if (advance(rekey) == ANNALS_DONE) {
    rekey->on_done(rekey);
  }
}

enum annals_progress annals_rekey_run(struct annals_history *history, struct annals_rekey *rekey) {
  rekey->history = history;
  rekey->error = check_request(history, &rekey->request);
  if (rekey->error != NULL) {
    return ANNALS_DONE;
  }
  if (!annals_history_begin_rekey(history)) {
    rekey->error = annals_error_new(ANNALS_REASON_ALREADY_RUNNING,
                                    "the data keys of another execution are being changed");
    return ANNALS_DONE;
  }
  rekey->step = STEP_TAIL;
  return start_step(rekey) ? advance(rekey) : ANNALS_PENDING;
}

void annals_rekey_clear(struct annals_rekey *rekey) {
  g_clear_error(&rekey->error);
  g_clear_pointer(&rekey->get.record, g_bytes_unref);
  g_clear_pointer(&rekey->new_record, g_bytes_unref);
  annals_data_key_record_clear(&rekey->record);
}
