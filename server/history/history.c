#include "server/history/history.h"

#include <pthread.h>

#include "server/history/error.h"
#include "server/history/watchers.h"
#include "server/kms/data_keys.h"

struct annals_history {
  struct annals_history_options options;
  struct annals_watchers *watchers;

  pthread_mutex_t lock; /* of all below; a leaf */
  int64_t earliest_closed_s;
  bool rekeying;
};

enum {
  PAGE_BYTES_DEFAULT = 3584 * 1024, /* gRPC clients refuse more than 4 MiB unless told otherwise */
  PAGE_SCAN_BYTES_DEFAULT = 64 * 1024 * 1024,
};

static int64_t machine_clock(void *context) {
  (void)context;
  return g_get_real_time();
}

struct annals_history *annals_history_new(const struct annals_history_options *options) {
  struct annals_history *history = g_new0(struct annals_history, 1);
  history->options = *options;
  history->watchers = annals_watchers_new();
  pthread_mutex_init(&history->lock, NULL);
  history->earliest_closed_s = INT64_MAX;
  if (history->options.page_bytes_max == 0) {
    history->options.page_bytes_max = PAGE_BYTES_DEFAULT;
  }
  if (history->options.page_scan_bytes_max == 0) {
    history->options.page_scan_bytes_max = PAGE_SCAN_BYTES_DEFAULT;
  }
  if (history->options.now_us == NULL) {
    history->options.now_us = machine_clock;
  }
  return history;
}

void annals_history_free(struct annals_history *history) {
  if (history == NULL) {
    return;
  }
  annals_watchers_free(history->watchers);
  pthread_mutex_destroy(&history->lock);
  g_free(history);
}

const struct annals_history_options *annals_history_options(const struct annals_history *history) {
  return &history->options;
}

struct annals_watchers *annals_history_watchers(const struct annals_history *history) {
  return history->watchers;
}

void annals_history_note_closed(struct annals_history *history, int64_t stop_seconds) {
  pthread_mutex_lock(&history->lock);
  history->earliest_closed_s = MIN(history->earliest_closed_s, stop_seconds);
  pthread_mutex_unlock(&history->lock);
}

int64_t annals_history_take_earliest_closed(struct annals_history *history) {
  pthread_mutex_lock(&history->lock);
  int64_t earliest_s = history->earliest_closed_s;
  history->earliest_closed_s = INT64_MAX;
  pthread_mutex_unlock(&history->lock);
  return earliest_s;
}

bool annals_history_begin_rekey(struct annals_history *history) {
  pthread_mutex_lock(&history->lock);
  bool begun = !history->rekeying;
  history->rekeying = true;
  pthread_mutex_unlock(&history->lock);
  return begun;
}

void annals_history_end_waits(struct annals_history *history) {
  if (history->options.data_keys != NULL) {
    annals_data_keys_end(history->options.data_keys);
  }
}

void annals_history_end_rekey(struct annals_history *history) {
  pthread_mutex_lock(&history->lock);
  history->rekeying = false;
  pthread_mutex_unlock(&history->lock);
}

int64_t annals_history_now_us(const struct annals_history *history) {
  return history->options.now_us(history->options.now_context);
}

bool annals_history_token_expired(const struct annals_history *history, int64_t issued_at_ms) {
  int64_t age_ms = annals_history_now_us(history) / 1000 - issued_at_ms;
  return age_ms > history->options.page_token_ttl_s * 1000;
}

GError *annals_history_missing_error(const char *execution_arn) {
  GError *error = annals_error_new(ANNALS_REASON_EXECUTION_DOES_NOT_EXIST,
                                   "no execution has the ARN %s", execution_arn);
  annals_error_add_metadata(error, "execution_arn", "%s", execution_arn);
  return error;
}

static GError *engine_error(enum annals_reason reason, const char *text, const char *detail) {
  GError *error = annals_error_new(reason, "%s", text);
  annals_error_set_detail(error, detail);
  return error;
}

GError *annals_history_damage_error(const char *what) {
  return engine_error(ANNALS_REASON_DATA_CORRUPTED, "stored data is damaged", what);
}

void annals_history_name_damaged(GError *error, const char *execution_arn) {
  if (error != NULL && annals_error_reason(error) == ANNALS_REASON_DATA_CORRUPTED) {
    annals_error_add_metadata(error, "execution_arn", "%s", execution_arn);
  }
}

GError *annals_history_write_error(const struct annals_store_op *op) {
  switch (op->outcome) {
    case ANNALS_STORE_CORRUPT:
      return annals_history_damage_error(op->detail);
    case ANNALS_STORE_NO_SPACE:
      return engine_error(ANNALS_REASON_NO_SPACE,
                          "the server's disk is nearly full; nothing was stored", op->detail);
    case ANNALS_STORE_UNAVAILABLE:
      return engine_error(ANNALS_REASON_WRITES_STOPPED,
                          "the store takes no writes until it is restarted; nothing was changed",
                          op->detail);
    case ANNALS_STORE_UNKNOWN:
      return engine_error(ANNALS_REASON_OUTCOME_UNKNOWN,
                          "the events may or may not be stored; repeat the same append",
                          op->detail);
    case ANNALS_STORE_OK:
    case ANNALS_STORE_NOT_FOUND:
    case ANNALS_STORE_CONFLICT:
    case ANNALS_STORE_BUSY:
    case ANNALS_STORE_REFUSED:
    case ANNALS_STORE_FAILED:
      break;
  }
  return annals_error_new(ANNALS_REASON_INTERNAL, "the store answered what it should not");
}

GError *annals_history_read_error(const struct annals_store_op *op) {
  if (op->outcome == ANNALS_STORE_UNAVAILABLE) {
    return engine_error(ANNALS_REASON_INTERNAL, "the store cannot be read", op->detail);
  }
  return annals_history_write_error(op);
}
