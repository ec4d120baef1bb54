#include "server/kms/exchange.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

enum {
  CONNECT_TIMEOUT_MS = 3000,
  POLL_MS_MAX = 60 * 1000,
  US_PER_MS = 1000,
};

struct task {
  int64_t when_us; /* g_get_monotonic_time's */
  void (*run)(void *context);
  void *context;
};

struct annals_exchanges {
  CURLM *multi;
  char *ca_path;
  GPtrArray *under_way; /* of the thread, as the next */
  GQueue later;         /* tasks, the earliest first */
  pthread_mutex_t lock;
  GQueue tasks;   /* under lock */
  bool is_ending; /* under lock */
  bool is_over;   /* under lock: and the thread is to end */
  pthread_t thread;
  bool has_thread;
};

/* --- tasks --- */

void annals_exchanges_run(struct annals_exchanges *exchanges, void (*run)(void *context),
                          void *context) {
  struct task *task = g_new(struct task, 1);
  *task = (struct task){.run = run, .context = context};
  pthread_mutex_lock(&exchanges->lock);
  g_queue_push_tail(&exchanges->tasks, task);
  pthread_mutex_unlock(&exchanges->lock);
  curl_multi_wakeup(exchanges->multi);
}

static gint compare_tasks(gconstpointer a, gconstpointer b, G_GNUC_UNUSED gpointer data) {
  int64_t x = ((const struct task *)a)->when_us;
  int64_t y = ((const struct task *)b)->when_us;
  return x < y ? -1 : x > y;
}

void annals_exchanges_run_later(struct annals_exchanges *exchanges, int64_t delay_us,
                                void (*run)(void *context), void *context) {
  struct task *task = g_new(struct task, 1);
  *task = (struct task){
      .when_us = g_get_monotonic_time() + delay_us,
      .run = run,
      .context = context,
  };
  g_queue_insert_sorted(&exchanges->later, task, compare_tasks, NULL);
}

static void run_task(struct task *task) {
  task->run(task->context);
  g_free(task);
}

/* Runs what is due; returns whether anything was. */
static bool run_tasks(struct annals_exchanges *exchanges, bool all) {
  pthread_mutex_lock(&exchanges->lock);
  GQueue tasks = exchanges->tasks;
  g_queue_init(&exchanges->tasks);
  pthread_mutex_unlock(&exchanges->lock);
  const int64_t now_us = all ? INT64_MAX : g_get_monotonic_time();
  for (struct task *first;
       (first = g_queue_peek_head(&exchanges->later)) != NULL && first->when_us <= now_us;) {
    g_queue_push_tail(&tasks, g_queue_pop_head(&exchanges->later));
  }
  bool any = tasks.length > 0;
  for (struct task *task; (task = g_queue_pop_head(&tasks)) != NULL;) {
    run_task(task);
  }
  return any;
}

static bool get(struct annals_exchanges *exchanges, const bool *flag) {
  pthread_mutex_lock(&exchanges->lock);
  bool value = *flag;
  pthread_mutex_unlock(&exchanges->lock);
  return value;
}

bool annals_exchanges_are_ending(struct annals_exchanges *exchanges) {
  return get(exchanges, &exchanges->is_ending);
}

/* --- libcurl --- */

/* bytes is where libcurl received, which it does not look at again, and does not wipe. */
static size_t take_bytes(char *bytes, size_t unit, size_t count, void *user) {
  struct annals_exchange *exchange = user;
  size_t size = unit * count;
  exchange->is_too_long = size > ANNALS_EXCHANGE_ANSWER_BYTES_MAX - exchange->answer_bytes;
  if (!exchange->is_too_long) {
    memcpy(exchange->answer + exchange->answer_bytes, bytes, size);
    exchange->answer_bytes += size;
  }
  OPENSSL_cleanse(bytes, size);
  return exchange->is_too_long ? 0 : size;
}

static CURLcode set_up_tls(G_GNUC_UNUSED CURL *handle, void *context, G_GNUC_UNUSED void *user) {
  SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
  return CURLE_OK;
}

static void set_request(CURL *handle, const struct annals_exchange *exchange,
                        struct curl_slist *lines) {
  curl_easy_setopt(handle, CURLOPT_URL, exchange->url);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, lines);
  if (exchange->body != NULL) {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(exchange->body));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, exchange->body);
  }
  if (exchange->sign != NULL) {
    curl_easy_setopt(handle, CURLOPT_AWS_SIGV4, exchange->sign);
    curl_easy_setopt(handle, CURLOPT_USERNAME, exchange->sign_id);
    curl_easy_setopt(handle, CURLOPT_PASSWORD, exchange->sign_secret);
  }
}

static void set_manners(CURL *handle, const struct annals_exchanges *exchanges,
                        const struct annals_exchange *exchange) {
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  /* HTTP/2 has buffers of its own, which nobody wipes. */
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)MAX(1, exchange->timeout_us / US_PER_MS));
  curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, set_up_tls);
  if (exchanges->ca_path != NULL) {
    curl_easy_setopt(handle, CURLOPT_CAINFO, exchanges->ca_path);
  }
  if (exchange->is_direct) {
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
  }
}

void annals_exchanges_begin(struct annals_exchanges *exchanges, struct annals_exchange *exchange) {
  CURL *handle = curl_easy_init();
  g_assert(handle != NULL);
  struct curl_slist *lines = NULL;
  for (const char *const *line = exchange->headers; line != NULL && *line != NULL; line++) {
    lines = curl_slist_append(lines, *line);
    g_assert(lines != NULL);
  }
  exchange->handle = handle;
  exchange->handle_lines = lines;
  exchange->answer = g_malloc(ANNALS_EXCHANGE_ANSWER_BYTES_MAX + 1);
  set_request(handle, exchange, lines);
  set_manners(handle, exchanges, exchange);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_bytes);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, exchange);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, exchange->problem);
  curl_easy_setopt(handle, CURLOPT_PRIVATE, exchange);
  g_ptr_array_add(exchanges->under_way, exchange);
  curl_multi_add_handle(exchanges->multi, handle);
}

static void end(struct annals_exchanges *exchanges, struct annals_exchange *exchange,
                CURLcode code) {
  g_ptr_array_remove_fast(exchanges->under_way, exchange);
  if (code == CURLE_OK) {
    curl_easy_getinfo(exchange->handle, CURLINFO_RESPONSE_CODE, &exchange->status);
  } else if (exchange->is_too_long) {
    g_snprintf(exchange->problem, sizeof exchange->problem, "the answer is too long");
  } else if (exchange->problem[0] == '\0') {
    g_snprintf(exchange->problem, sizeof exchange->problem, "%s", curl_easy_strerror(code));
  }
  curl_multi_remove_handle(exchanges->multi, exchange->handle);
  curl_easy_cleanup(exchange->handle);
  curl_slist_free_all(exchange->handle_lines);
  char *answer = exchange->answer;
  answer[exchange->answer_bytes] = '\0';
  exchange->on_done(exchange);
  OPENSSL_cleanse(answer, ANNALS_EXCHANGE_ANSWER_BYTES_MAX + 1);
  g_free(answer);
}

/* --- the thread --- */

static void end_what_is_over(struct annals_exchanges *exchanges) {
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(exchanges->multi, &left)) != NULL;) {
    if (message->msg == CURLMSG_DONE) {
      CURLcode code = message->data.result;
      char *exchange = NULL;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
      end(exchanges, (struct annals_exchange *)exchange, code);
    }
  }
}

static void wait_for_work(struct annals_exchanges *exchanges) {
  int64_t wait_ms = POLL_MS_MAX;
  const struct task *first = g_queue_peek_head(&exchanges->later);
  if (first != NULL) {
    int64_t wait_us = first->when_us - g_get_monotonic_time();
    wait_ms = CLAMP((wait_us + US_PER_MS - 1) / US_PER_MS, 0, POLL_MS_MAX);
  }
  curl_multi_poll(exchanges->multi, NULL, 0, (int)wait_ms, NULL);
}

static void end_all(struct annals_exchanges *exchanges) {
  do {
    while (exchanges->under_way->len > 0) {
      end(exchanges, exchanges->under_way->pdata[0], CURLE_ABORTED_BY_CALLBACK);
    }
  } while (run_tasks(exchanges, true) || exchanges->under_way->len > 0);
}

static void *run(void *context) {
  struct annals_exchanges *exchanges = context;
  while (!get(exchanges, &exchanges->is_over)) {
    if (annals_exchanges_are_ending(exchanges)) {
      end_all(exchanges);
    } else {
      run_tasks(exchanges, false);
    }
    int running;
    curl_multi_perform(exchanges->multi, &running);
    end_what_is_over(exchanges);
    wait_for_work(exchanges);
  }
  end_all(exchanges);
  return NULL;
}

struct annals_exchanges *annals_exchanges_new(const char *ca_path, long connections_max,
                                              GError **error) {
  struct annals_exchanges *exchanges = g_new0(struct annals_exchanges, 1);
  pthread_mutex_init(&exchanges->lock, NULL);
  g_queue_init(&exchanges->tasks);
  g_queue_init(&exchanges->later);
  exchanges->under_way = g_ptr_array_new();
  exchanges->ca_path = g_strdup(ca_path);
  exchanges->multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
  if (exchanges->multi != NULL) {
    curl_multi_setopt(exchanges->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max);
    exchanges->has_thread = pthread_create(&exchanges->thread, NULL, run, exchanges) == 0;
  }
  if (!exchanges->has_thread) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                "no thread can be started to ask the key service");
    annals_exchanges_free(exchanges);
    return NULL;
  }
  return exchanges;
}

static void set_ending(struct annals_exchanges *exchanges, bool is_over) {
  pthread_mutex_lock(&exchanges->lock);
  exchanges->is_ending = true;
  exchanges->is_over = exchanges->is_over || is_over;
  pthread_mutex_unlock(&exchanges->lock);
  curl_multi_wakeup(exchanges->multi);
}

void annals_exchanges_end(struct annals_exchanges *exchanges) {
  set_ending(exchanges, false);
}

void annals_exchanges_free(struct annals_exchanges *exchanges) {
  if (exchanges == NULL) {
    return;
  }
  if (exchanges->has_thread) {
    set_ending(exchanges, true);
    pthread_join(exchanges->thread, NULL);
  }
  curl_multi_cleanup(exchanges->multi);
  g_ptr_array_unref(exchanges->under_way);
  pthread_mutex_destroy(&exchanges->lock);
  g_free(exchanges->ca_path);
  g_free(exchanges);
}
