#include "server/otlp/post.h"

#include <curl/curl.h>
#include <stdatomic.h>

#include "server/ops/process_metrics.h"

enum {
  POLL_US = 1000 * 1000, /* at least so often is looked */
  CA_CACHE_S = 60,       /* a new file of CAs counts so soon */
  US_PER_MS = 1000,
};

struct annals_post {
  CURLM *multi;
  CURL *easy;
  int64_t timeout_us;
  _Atomic int64_t deadline_us;
};

/* A result that is not looked at would be an option that is not in force. */
static bool set_options(CURL *easy, const struct annals_post_options *options) {
  return curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
         /* A name server that does not answer would hold up the end of the program. */
         curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_URL, options->url) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_USERAGENT, "annalsd/" ANNALS_VERSION) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S) == CURLE_OK &&
         curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                          (long)(options->connect_timeout_us / US_PER_MS)) == CURLE_OK &&
         (options->ca_path == NULL ||
          curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_path) == CURLE_OK);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
  GByteArray *body = context;
  size_t room = ANNALS_POST_ANSWER_BYTES_MAX - body->len;
  g_byte_array_append(body, (const guint8 *)bytes, (guint)MIN(room, size * count));
  return size * count;
}

struct annals_post *annals_post_new(const struct annals_post_options *options, GError **error) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "libcurl does not start");
    return NULL;
  }
  struct annals_post *post = g_new0(struct annals_post, 1);
  post->multi = curl_multi_init();
  post->easy = curl_easy_init();
  post->timeout_us = options->timeout_us;
  post->deadline_us = INT64_MAX;
  if (post->multi == NULL || post->easy == NULL || !set_options(post->easy, options)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "libcurl cannot post to %s",
                options->url);
    annals_post_free(post);
    return NULL;
  }
  return post;
}

void annals_post_free(struct annals_post *post) {
  if (post == NULL) {
    return;
  }
  curl_easy_cleanup(post->easy);
  curl_multi_cleanup(post->multi);
  curl_global_cleanup();
  g_free(post);
}

void annals_post_set_deadline(struct annals_post *post, int64_t deadline_us) {
  atomic_store(&post->deadline_us, deadline_us);
  curl_multi_wakeup(post->multi);
}

/* Finds what became of the only request. */
static CURLcode result_of(struct annals_post *post) {
  int left = 0;
  const CURLMsg *message = curl_multi_info_read(post->multi, &left);
  return message == NULL ? CURLE_RECV_ERROR : message->data.result;
}

/* Returns what the request came to, or CURLE_OPERATION_TIMEDOUT when it was too late by then. */
static CURLcode run(struct annals_post *post) {
  int64_t end_us = g_get_monotonic_time() + post->timeout_us;
  for (;;) {
    int running = 0;
    if (curl_multi_perform(post->multi, &running) != CURLM_OK) {
      return CURLE_FAILED_INIT;
    }
    if (running == 0) {
      return result_of(post);
    }
    int64_t left_us = MIN(end_us, atomic_load(&post->deadline_us)) - g_get_monotonic_time();
    if (left_us <= 0) {
      return CURLE_OPERATION_TIMEDOUT;
    }
    int wait_ms = (int)(MIN(left_us, POLL_US) / US_PER_MS) + 1;
    if (curl_multi_poll(post->multi, NULL, 0, wait_ms, NULL) != CURLM_OK) {
      return CURLE_FAILED_INIT;
    }
  }
}

static void read_answer(struct annals_post *post, CURLcode result,
                        struct annals_post_answer *ret_answer) {
  curl_off_t retry_s = 0;
  if (result != CURLE_OK) {
    ret_answer->problem = curl_easy_strerror(result);
    return;
  }
  curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &ret_answer->status);
  curl_easy_getinfo(post->easy, CURLINFO_RETRY_AFTER, &retry_s);
  ret_answer->retry_s = retry_s;
}

void annals_post_send(struct annals_post *post, const char *const *headers, const uint8_t *body,
                      size_t size, struct annals_post_answer *ret_answer) {
  /* Without Expect a large body waits a second for leave that not everybody gives. */
  struct curl_slist *list = curl_slist_append(NULL, "Expect:");
  list = curl_slist_append(list, "Content-Type: application/x-protobuf");
  for (size_t i = 0; list != NULL && headers[i] != NULL; i++) {
    list = curl_slist_append(list, headers[i]);
  }
  *ret_answer = (struct annals_post_answer){.body = g_byte_array_new()};
  curl_easy_setopt(post->easy, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(post->easy, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(post->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
  curl_easy_setopt(post->easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(post->easy, CURLOPT_WRITEDATA, ret_answer->body);
  CURLcode result = CURLE_OUT_OF_MEMORY;
  if (list != NULL && curl_multi_add_handle(post->multi, post->easy) == CURLM_OK) {
    result = run(post);
    curl_multi_remove_handle(post->multi, post->easy);
  }
  read_answer(post, result, ret_answer);
  curl_easy_setopt(post->easy, CURLOPT_HTTPHEADER, NULL);
  curl_slist_free_all(list);
}

void annals_post_answer_clear(struct annals_post_answer *answer) {
  g_byte_array_unref(answer->body);
  *answer = (struct annals_post_answer){0};
}
