/*
 * One page of a history.
 *
 * Floor 2. Source of the request's rules: AWS's model of GetExecutionHistory.
 */
#ifndef ANNALS_SERVER_HISTORY_PAGE_H_
#define ANNALS_SERVER_HISTORY_PAGE_H_

#include "proto/buffer.h"
#include "server/history/authorization.h"
#include "server/history/cancel.h"
#include "server/history/decryptor.h"
#include "server/history/history.h"
#include "storage/frame.h"

G_BEGIN_DECLS

enum {
  ANNALS_PAGE_RESULTS_DEFAULT = 100,
  ANNALS_PAGE_RESULTS_MAX = 1000,
  ANNALS_PAGE_TOKEN_BYTES_MAX = 1024,
  /* What one event may grow to in the page: 1 MiB of control characters as JSON escapes. */
  ANNALS_PAGE_BUFFER_BYTES_MAX = 16 * 1024 * 1024,
};

/* What is asked for, and by whom. */
struct annals_page_request {
  const struct annals_principal *principal; /* NULL: anybody (authorization.h) */
  const char *execution_arn;                /* NULL: absent */
  int64_t max_results;                      /* 0: the default */
  const char *next_token;                   /* NULL: absent */
  bool reverse_order;
  bool include_execution_data;
};

struct annals_page;

/* What is made of runs is kept by it, for pages that come later. */
enum annals_page_encoding { ANNALS_PAGE_WIRE, ANNALS_PAGE_JSON };

/* How events are sent. What is encoded does not depend on the page's other events. */
struct annals_page_format {
  enum annals_page_encoding encoding; /* one format for each, with execution data and without */
  /*
   * Appends an event to out, without its execution data where the request says so. Returns false
   * when the event is damaged or out has failed. NULL: the frames as they stand, which costs least
   * (where they are plain, and execution data is asked for).
   */
  bool (*encode)(const struct annals_page *page, const struct annals_frame *frame,
                 struct annals_buffer *out);
  const char *opening;   /* before the first event; NULL: nothing */
  const char *separator; /* between two; NULL: nothing */
};

/* A part of the page that nobody has copied: bytes of a form, which the page has a reference to. */
struct annals_page_part {
  struct annals_form *form;
  size_t start; /* in the form */
  size_t size;
  size_t before; /* it stands before this byte of page->events, and behind the parts before */
};

/* One page being made, and the result. Zero it before use. */
struct annals_page {
  struct annals_page_request request;
  const struct annals_page_format *format;
  bool
      shares; /* what can be had without copying, as parts; its format has nothing between events */
  bool (*hold)(struct annals_page *page); /* NULL, or told that events have grown: false when they
                                             may not, and have failed */
  void (*on_done)(struct annals_page *page);
  void *owner;                        /* the caller's own */
  const struct annals_cancel *cancel; /* whether anybody waits; NULL: always */

  GError *error;               /* result: NULL, or why there is no page */
  struct annals_buffer events; /* result: the events in their format; of encrypted ones without
                                  execution data, all that is encrypted is left out */
  GArray *parts;               /* result: struct annals_page_part; NULL: there are none */
  int32_t event_count;         /* result */
  char *next_token;            /* result: NULL on the last page */

  /* Private from here on. */
  struct annals_history *history;
  struct annals_store_read read;
  struct annals_store_get get;
  struct annals_decryptor decryptor;
  int step;
  int64_t first_id; /* where reading begins */
  int64_t next_id;  /* the first id that is not in the page */
  int64_t start_seconds;
  int32_t start_nanos;
  bool start_known;
  bool again; /* behind TIME, all is read once more for the same page */
  bool more;
  bool damaged;
  bool abandoned;
  size_t scanned_bytes;
  size_t shared_bytes; /* of parts */
  const uint8_t *span; /* frames of the run at hand that are in the page, but not yet in events */
  size_t span_bytes;
};

/*
 * Makes a page: at most max_results events and the options' bytes, but at least one event.
 *
 * Shape:  events in order of their ids, or in reverse; next_token exactly when there are more.
 * Errors: INVALID_REQUEST (constraints, all of them, as violations), INVALID_ARN,
 *         PERMISSION_DENIED, INVALID_TOKEN, EXECUTION_DOES_NOT_EXIST, those of key_fetch.h where
 *         events are encrypted and execution data is asked for, DATA_CORRUPTED, OVERLOADED,
 *         in this order of precedence; CANCELLED and DEADLINE_EXCEEDED as soon as nobody waits.
 * Memory: the caller clears the page when it is done with the result.
 * Cost:   events in the cache are read on the calling thread.
 */
G_GNUC_WARN_UNUSED_RESULT
enum annals_progress annals_page_get(struct annals_history *history, struct annals_page *page);

/* Frees the result. */
void annals_page_clear(struct annals_page *page);

G_END_DECLS

#endif
