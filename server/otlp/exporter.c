#include "server/otlp/exporter.h"

#include <pthread.h>
#include <string.h>

#include "server/ops/log.h"
#include "server/otlp/message.h"
#include "server/otlp/post.h"
#include "server/otlp/queue.h"

enum {
  SPANS_MAX = 8192, /* a few MiB of short texts */
  BATCH_MAX = 512,
  LINGER_US = G_USEC_PER_SEC / 2,
  RETRY_S_MAX = 30,
  LOG_INTERVAL_S = 60,
};

enum outcome { EXPORTED, FAILED, TRY_LATER };

struct annals_otlp_exporter {
  struct annals_otlp_settings settings;
  struct annals_otlp_origin origin;
  struct annals_span_queue *queue;
  struct annals_post *post;
  pthread_t thread;
  bool thread_started;
  int64_t linger_us;
  int64_t retry_us;
  int64_t give_up_us;
  int64_t drain_us;

  pthread_mutex_t lock; /* a leaf */
  GStrv headers;        /* under lock */

  struct annals_metrics *metrics;
  struct annals_series *exported;
  struct annals_series *dropped;
  struct annals_series *failed;
  struct annals_series *queued;

  /* The thread's. */
  bool is_failing;      /* as was logged, and still so */
  int64_t told_us;      /* when that was logged; 0: never */
  int64_t told_part_us; /* when it was that only a part was taken */
};

/* --- telling --- */

static bool is_time(int64_t *told_us) {
  int64_t now_us = g_get_monotonic_time();
  bool due = *told_us == 0 || now_us - *told_us >= (int64_t)LOG_INTERVAL_S * G_USEC_PER_SEC;
  *told_us = due ? now_us : *told_us;
  return due;
}

/* What the receiver says is not told: it may quote anything. */
static void tell_failure(struct annals_otlp_exporter *exporter,
                         const struct annals_post_answer *answer) {
  if (is_time(&exporter->told_us)) {
    annals_log_warning("spans are not exported", ANNALS_LOG_TEXT("url", exporter->settings.url),
                       ANNALS_LOG_NUMBER("http_status", answer->status),
                       ANNALS_LOG_TEXT("error", answer->problem));
    exporter->is_failing = true;
  }
}

static void tell_success(struct annals_otlp_exporter *exporter) {
  if (exporter->is_failing) {
    annals_log_info("spans are exported again", ANNALS_LOG_TEXT("url", exporter->settings.url));
  }
  exporter->is_failing = false;
}

static void count_taken(struct annals_otlp_exporter *exporter, guint count,
                        const struct annals_post_answer *answer) {
  int64_t rejected = 0;
  g_autofree char *message = NULL;
  if (!annals_otlp_message_read(answer->body->data, answer->body->len, &rejected, &message)) {
    rejected = 0; /* what is said in other words was taken, as the status says */
  }
  rejected = CLAMP(rejected, 0, (int64_t)count);
  annals_series_add(exporter->exported, (int64_t)count - rejected);
  annals_series_add(exporter->failed, rejected);
  if ((rejected > 0 || message != NULL) && is_time(&exporter->told_part_us)) {
    annals_log_warning("the receiver of spans complains", ANNALS_LOG_NUMBER("rejected", rejected));
  }
}

/* --- sending --- */

static GStrv copy_headers(struct annals_otlp_exporter *exporter) {
  pthread_mutex_lock(&exporter->lock);
  GStrv headers = g_strdupv(exporter->headers);
  pthread_mutex_unlock(&exporter->lock);
  return headers;
}

static enum outcome judge(const struct annals_post_answer *answer) {
  switch (answer->status) {
    case 0:
    case 429:
    case 502:
    case 503:
    case 504:
      return TRY_LATER;
    default:
      return answer->status / 100 == 2 ? EXPORTED : FAILED;
  }
}

/* Sends once. ret_retry_us: what the receiver said; 0: nothing. */
static enum outcome send_once(struct annals_otlp_exporter *exporter, const uint8_t *body,
                              size_t size, guint count, int64_t *ret_retry_us) {
  struct annals_post_answer answer;
  g_auto(GStrv) headers = copy_headers(exporter);
  annals_post_send(exporter->post, (const char *const *)headers, body, size, &answer);
  enum outcome outcome = judge(&answer);
  if (outcome == EXPORTED) {
    count_taken(exporter, count, &answer);
    tell_success(exporter);
  } else {
    tell_failure(exporter, &answer);
  }
  *ret_retry_us = MIN(answer.retry_s, RETRY_S_MAX) * G_USEC_PER_SEC;
  annals_post_answer_clear(&answer);
  return outcome;
}

/* Waits before a repetition, at random up to a quarter longer: receivers that are back are not to
 * hear from everybody at once. Returns false when it is not worth it any more. */
static bool wait_for_retry(struct annals_otlp_exporter *exporter, int64_t wait_us,
                           int64_t give_up_us) {
  wait_us += g_random_int_range(0, (gint32)(wait_us / 4) + 1);
  return g_get_monotonic_time() + wait_us <= give_up_us &&
         !annals_span_queue_wait(exporter->queue, wait_us);
}

/* Returns false when the receiver took nothing. */
static bool export_batch(struct annals_otlp_exporter *exporter, const GPtrArray *batch) {
  size_t size;
  g_autofree uint8_t *body = annals_otlp_message_pack(&exporter->origin, batch, &size);
  int64_t give_up_us = g_get_monotonic_time() + exporter->give_up_us;
  int64_t wait_us = exporter->retry_us;
  for (;;) {
    int64_t said_us = 0;
    enum outcome outcome = send_once(exporter, body, size, batch->len, &said_us);
    if (outcome == EXPORTED) {
      return true;
    }
    if (outcome == FAILED ||
        !wait_for_retry(exporter, said_us > 0 ? said_us : wait_us, give_up_us)) {
      annals_series_add(exporter->failed, batch->len);
      return false;
    }
    wait_us = MIN(2 * wait_us, (int64_t)RETRY_S_MAX * G_USEC_PER_SEC);
  }
}

/* At the end, what is left has one chance. */
static void *run(void *data) {
  struct annals_otlp_exporter *exporter = data;
  bool give_up = false;
  GPtrArray *batch;
  while ((batch = annals_span_queue_take(exporter->queue, BATCH_MAX, exporter->linger_us)) !=
         NULL) {
    if (give_up) {
      annals_series_add(exporter->failed, batch->len);
    } else if (!export_batch(exporter, batch)) {
      give_up = annals_span_queue_wait(exporter->queue, 0);
    }
    g_ptr_array_unref(batch);
  }
  return NULL;
}

/* --- calls --- */

static void take_span(void *context, const struct annals_call_summary *end, int64_t duration_us) {
  struct annals_otlp_exporter *exporter = context;
  if (!annals_span_queue_push(exporter->queue,
                              annals_span_new(end, duration_us, g_get_real_time()))) {
    annals_series_add(exporter->dropped, 1);
  }
}

struct annals_span_sink annals_otlp_exporter_sink(struct annals_otlp_exporter *exporter) {
  return exporter == NULL ? (struct annals_span_sink){0}
                          : (struct annals_span_sink){.take = take_span, .context = exporter};
}

static void sample(void *context) {
  struct annals_otlp_exporter *exporter = context;
  annals_series_set(exporter->queued, annals_span_queue_length(exporter->queue));
}

/* --- life --- */

/* HOST:PORT, where an IPv6 address stands in brackets. */
static struct annals_otlp_listener read_listener(const char *address) {
  const char *colon = strrchr(address, ':');
  bool brackets = address[0] == '[' && colon > address && colon[-1] == ']';
  return (struct annals_otlp_listener){
      .host = brackets ? g_strndup(address + 1, (gsize)(colon - address - 2))
                       : g_strndup(address, (gsize)(colon - address)),
      .port = g_ascii_strtoll(colon + 1, NULL, 10),
  };
}

static struct annals_series *spans_series(struct annals_metrics *metrics, const char *result) {
  const char *const labels[] = {result};
  return annals_metrics_series(metrics, ANNALS_METRIC_SPANS, labels);
}

static int64_t or_seconds(int64_t us, int seconds) {
  return us != 0 ? us : (int64_t)seconds * G_USEC_PER_SEC;
}

static void init(struct annals_otlp_exporter *exporter,
                 const struct annals_otlp_exporter_options *options) {
  exporter->settings = *options->settings;
  *options->settings = (struct annals_otlp_settings){0};
  exporter->headers = g_strdupv(exporter->settings.headers);
  exporter->origin = (struct annals_otlp_origin){
      .resource = exporter->settings.resource,
      .grpc = read_listener(options->grpc_address),
      .gateway = read_listener(options->gateway_address),
      .url_scheme = options->gateway_tls ? "https" : "http",
  };
  exporter->queue = annals_span_queue_new(options->spans_max != 0 ? options->spans_max : SPANS_MAX);
  exporter->linger_us = options->linger_us != 0 ? options->linger_us : LINGER_US;
  exporter->retry_us = or_seconds(options->retry_us, 1);
  exporter->give_up_us = or_seconds(options->give_up_us, 60);
  exporter->drain_us = or_seconds(options->drain_us, 2);
  exporter->metrics = options->metrics;
  exporter->exported = spans_series(options->metrics, "exported");
  exporter->dropped = spans_series(options->metrics, "dropped");
  exporter->failed = spans_series(options->metrics, "failed");
  exporter->queued = annals_metrics_series(options->metrics, ANNALS_METRIC_SPANS_QUEUED, NULL);
  pthread_mutex_init(&exporter->lock, NULL);
}

static bool start(struct annals_otlp_exporter *exporter, int64_t timeout_us, GError **error) {
  const struct annals_post_options post = {
      .url = exporter->settings.url,
      .ca_path = exporter->settings.ca_path,
      .timeout_us = timeout_us,
      .connect_timeout_us = timeout_us / 2,
  };
  exporter->post = annals_post_new(&post, error);
  if (exporter->post == NULL) {
    return false;
  }
  int errnum = pthread_create(&exporter->thread, NULL, run, exporter);
  if (errnum != 0) {
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(errnum),
                "cannot start the thread that exports spans: %s", g_strerror(errnum));
    return false;
  }
  pthread_setname_np(exporter->thread, "annals-otlp");
  exporter->thread_started = true;
  annals_metrics_add_source(exporter->metrics, sample, exporter);
  return true;
}

struct annals_otlp_exporter *annals_otlp_exporter_new(
    const struct annals_otlp_exporter_options *options, GError **error) {
  struct annals_otlp_exporter *exporter = g_new0(struct annals_otlp_exporter, 1);
  init(exporter, options);
  if (!start(exporter, or_seconds(options->timeout_us, 10), error)) {
    annals_otlp_exporter_free(exporter);
    return NULL;
  }
  return exporter;
}

void annals_otlp_exporter_free(struct annals_otlp_exporter *exporter) {
  if (exporter == NULL) {
    return;
  }
  if (exporter->thread_started) {
    annals_span_queue_close(exporter->queue);
    annals_post_set_deadline(exporter->post, g_get_monotonic_time() + exporter->drain_us);
    pthread_join(exporter->thread, NULL);
    annals_metrics_remove_source(exporter->metrics, exporter);
  }
  annals_post_free(exporter->post);
  annals_span_queue_free(exporter->queue);
  g_free(exporter->origin.grpc.host);
  g_free(exporter->origin.gateway.host);
  g_strfreev(exporter->headers);
  annals_otlp_settings_clear(&exporter->settings);
  pthread_mutex_destroy(&exporter->lock);
  g_free(exporter);
}

bool annals_otlp_exporter_reload(struct annals_otlp_exporter *exporter, GError **error) {
  GStrv headers = annals_otlp_settings_headers(&exporter->settings, error);
  if (headers == NULL) {
    return false;
  }
  pthread_mutex_lock(&exporter->lock);
  GStrv before = exporter->headers;
  exporter->headers = headers;
  pthread_mutex_unlock(&exporter->lock);
  g_strfreev(before);
  return true;
}
