#include "server/history/key_fetch.h"

#include "server/history/error.h"

/*
 *           there is a data key            as the record has it, or a new one
 *   START ──────────────────────► RECORD ──────────────────────────────────► KEY ──► done
 *     └─────────────────────────────────────────────────────────────────────► ▲ │     ▲
 *                                                   it was not in memory        └─ CONFIRM
 *
 * A key that is destroyed goes out of memory (rekey.h). One that is asked for by who had read the
 * record before would come back: CONFIRM reads the record again.
 */
enum step { STEP_RECORD, STEP_KEY, STEP_CONFIRM };

GError *annals_key_destroyed_error(void) {
  GError *error =
      annals_error_new(ANNALS_REASON_KMS_INVALID_STATE,
                       "the data keys of this execution were destroyed: what they encrypt is gone");
  annals_error_add_metadata(error, "kms_key_state", "UNAVAILABLE");
  return error;
}

GError *annals_key_error(enum annals_key_status status, const char *state, const char *message) {
  enum annals_reason reason = ANNALS_REASON_KMS_UNAVAILABLE;
  switch (status) {
    case ANNALS_KEY_ACCESS_DENIED:
      reason = ANNALS_REASON_KMS_ACCESS_DENIED;
      break;
    case ANNALS_KEY_INVALID_STATE:
      reason = ANNALS_REASON_KMS_INVALID_STATE;
      break;
    case ANNALS_KEY_THROTTLED:
      reason = ANNALS_REASON_KMS_THROTTLED;
      break;
    case ANNALS_KEY_MISMATCH:
      return annals_history_damage_error("the record of a data key");
    case ANNALS_KEY_OK:
    case ANNALS_KEY_UNAVAILABLE:
      break;
  }
  const char *meaning = annals_reason_info(reason)->meaning;
  GError *error = annals_error_new(reason, "%s%s%s", meaning, message != NULL ? ": " : "",
                                   message != NULL ? message : "");
  annals_error_set_detail(error, message);
  if (state != NULL) {
    annals_error_add_metadata(error, "kms_key_state", "%s", state);
  }
  return error;
}

static bool fail(struct annals_key_fetch *fetch, GError *error) {
  annals_history_name_damaged(error, fetch->execution_arn);
  fetch->error = error;
  return false;
}

static enum annals_progress advance(struct annals_key_fetch *fetch);

static void go_on(struct annals_key_fetch *fetch) {
  if (advance(fetch) == ANNALS_DONE) {
    fetch->on_done(fetch);
  }
}

static void on_record(struct annals_store_op *op) {
  go_on(op->owner);
}

static void on_key(struct annals_data_key_request *request) {
  go_on(request->user);
}

static bool start_record(struct annals_key_fetch *fetch) {
  struct annals_store *store = annals_history_options(fetch->history)->store;
  fetch->get = (struct annals_store_get_data_key){
      .op = {.on_done = on_record, .owner = fetch},
      .arn = fetch->execution_arn,
      .ordinal = fetch->ordinal,
  };
  return store->ops->get_data_key(store, &fetch->get) == ANNALS_STORE_DONE;
}

/* Whether the data key that there is does, rather than a new one. */
static bool is_to_be_unwrapped(const struct annals_key_fetch *fetch) {
  int64_t now_ms = annals_history_now_us(fetch->history) / 1000;
  return fetch->event_id == 0 ||
         (fetch->ordinal > 0 && annals_data_key_record_is_fresh(&fetch->stored, now_ms) &&
          !annals_data_key_record_is_used_up(&fetch->stored, fetch->event_id));
}

static bool start_key(struct annals_key_fetch *fetch) {
  struct annals_data_keys *keys = annals_history_options(fetch->history)->data_keys;
  const bool unwrap = is_to_be_unwrapped(fetch);
  /* What is in memory may be of an execution of this name that was deleted, or be used up. */
  const bool anew = !unwrap && (fetch->ordinal == 0 ||
                                annals_data_key_record_is_used_up(&fetch->stored, fetch->event_id));
  if (anew) {
    annals_data_keys_forget(keys, fetch->execution_arn);
  }
  fetch->request = (struct annals_data_key_request){
      .key_id = unwrap ? fetch->stored.kms_key_arn : fetch->stored.kms_key_id,
      .context_name = ANNALS_ENCRYPTION_CONTEXT_NAME,
      .context_value = fetch->execution_arn,
      .reuse_us = fetch->stored.reuse_seconds * G_TIME_SPAN_SECOND,
      .wrapped = unwrap ? fetch->stored.wrapped : NULL,
      .on_done = on_key,
      .user = fetch,
  };
  fetch->waited = !anew; /* first: a request that is not done may be at any time */
  if (!annals_data_keys_request(keys, &fetch->request)) {
    return false;
  }
  fetch->waited = false;
  return true;
}

static bool start_step(struct annals_key_fetch *fetch) {
  return fetch->step == STEP_KEY ? start_key(fetch) : start_record(fetch);
}

static bool fail_destroyed(struct annals_key_fetch *fetch) {
  g_clear_pointer(&fetch->key, annals_data_key_unref);
  annals_data_keys_forget(annals_history_options(fetch->history)->data_keys, fetch->execution_arn);
  return fail(fetch, annals_key_destroyed_error());
}

static bool finish_record(struct annals_key_fetch *fetch) {
  if (fetch->get.op.outcome == ANNALS_STORE_NOT_FOUND) {
    return fail(fetch, annals_history_damage_error("the record of a data key is missing"));
  }
  if (fetch->get.op.outcome != ANNALS_STORE_OK) {
    return fail(fetch, annals_history_read_error(&fetch->get.op));
  }
  bool ok = annals_data_key_record_read(fetch->get.record, &fetch->stored);
  g_clear_pointer(&fetch->get.record, g_bytes_unref);
  if (!ok) {
    return fail(fetch, annals_history_damage_error("the record of a data key"));
  }
  if (fetch->stored.wrapped == NULL) {
    return fail_destroyed(fetch);
  }
  fetch->step = STEP_KEY;
  return true;
}

/* Has the key stored with what it encrypts if it is new: not the one that there was. */
static bool settle(struct annals_key_fetch *fetch) {
  const struct annals_data_key_request *request = &fetch->request;
  if (request->wrapped == NULL &&
      (fetch->ordinal == 0 ||
       !g_bytes_equal(annals_data_key_wrapped(request->key), fetch->stored.wrapped))) {
    fetch->ordinal++;
    fetch->record = annals_data_key_record_write(&(struct annals_data_key_record){
        .wrapped = annals_data_key_wrapped(request->key),
        .kms_key_id = fetch->stored.kms_key_id,
        .kms_key_arn = (char *)annals_data_key_arn(request->key),
        .reuse_seconds = fetch->stored.reuse_seconds,
        .created_at_ms = annals_history_now_us(fetch->history) / 1000,
        .first_event_id = fetch->event_id,
    });
  } else if (fetch->event_id == 0) {
    annals_data_key_set_number(fetch->key, fetch->ordinal);
  }
  return false;
}

static bool finish_key(struct annals_key_fetch *fetch) {
  struct annals_data_key_request *request = &fetch->request;
  fetch->key = request->key;
  if (request->status != ANNALS_KEY_OK) {
    fail(fetch, annals_key_error(request->status, request->key_state, request->message));
    g_clear_pointer(&request->message, g_free);
    return false;
  }
  if (request->was_asked && fetch->ordinal > 0) {
    fetch->step = STEP_CONFIRM;
    return true;
  }
  return settle(fetch);
}

/* A record that is gone, or cannot be read now, was not destroyed. */
static bool finish_confirm(struct annals_key_fetch *fetch) {
  struct annals_data_key_record record = {0};
  bool read = fetch->get.op.outcome == ANNALS_STORE_OK &&
              annals_data_key_record_read(fetch->get.record, &record);
  bool destroyed = read && record.wrapped == NULL;
  annals_data_key_record_clear(&record);
  g_clear_pointer(&fetch->get.record, g_bytes_unref);
  return destroyed ? fail_destroyed(fetch) : settle(fetch);
}

/* Takes the result of the step that is done; returns whether there is another one. */
static bool finish_step(struct annals_key_fetch *fetch) {
  switch ((enum step)fetch->step) {
    case STEP_RECORD:
      return finish_record(fetch);
    case STEP_KEY:
      return finish_key(fetch);
    case STEP_CONFIRM:
      return finish_confirm(fetch);
  }
  g_assert_not_reached();
}

static enum annals_progress advance(struct annals_key_fetch *fetch) {
  while (finish_step(fetch)) {
    if (!start_step(fetch)) {
      return ANNALS_PENDING;
    }
  }
  return ANNALS_DONE;
}

enum annals_progress annals_key_fetch_run(struct annals_history *history,
                                          struct annals_key_fetch *fetch) {
  fetch->history = history;
  if (annals_history_options(history)->data_keys == NULL) {
    fail(fetch, annals_error_new(ANNALS_REASON_KMS_NOT_CONFIGURED, "%s",
                                 annals_reason_info(ANNALS_REASON_KMS_NOT_CONFIGURED)->meaning));
    return ANNALS_DONE;
  }
  fetch->step = STEP_RECORD;
  if (fetch->ordinal == 0) {
    fetch->step = STEP_KEY;
    fetch->stored.kms_key_id = g_strdup(fetch->encryption.kms_key_id);
    fetch->stored.reuse_seconds = fetch->encryption.reuse_seconds != 0
                                      ? fetch->encryption.reuse_seconds
                                      : ANNALS_REUSE_SECONDS_DEFAULT;
  }
  return start_step(fetch) ? advance(fetch) : ANNALS_PENDING;
}

void annals_key_fetch_clear(struct annals_key_fetch *fetch) {
  g_clear_error(&fetch->error);
  g_clear_pointer(&fetch->key, annals_data_key_unref);
  g_clear_pointer(&fetch->record, g_bytes_unref);
  annals_data_key_record_clear(&fetch->stored);
}
