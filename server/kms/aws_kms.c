#include "server/kms/aws_kms.h"

#include <jansson.h>
#include <string.h>

#include "server/kms/aws_credential_source.h"
#include "server/kms/endpoint.h"
#include "server/kms/exchange.h"
#include "server/kms/kms_reply.h"

enum {
  HTTP_OK = 200,
  BACKOFF_DOUBLINGS_MAX = 5,
};

struct aws_kms {
  struct annals_key_provider base;
  struct annals_aws_kms_options options; /* defaults filled in; texts are below */
  char *url;
  char *sign;
  bool is_loopback;
  struct annals_exchanges *exchanges;
  struct annals_aws_credential_source *credentials;
  struct annals_breaker breaker;
  gint call_count; /* atomic */
};

/* A call on its way: of the thread, once it is there. */
struct job {
  struct aws_kms *kms;
  struct annals_key_call *call;
  const char *target;
  struct annals_kms_expected expected;
  char *body;
  int64_t deadline_us;
  int attempt_count;
  bool has_renewed; /* credentials */
  struct annals_aws_credential_request credentials;
  struct annals_exchange exchange;
};

static void try(void *context);

/* --- the ends of calls --- */

static void fail(struct annals_key_call *call, enum annals_key_status status, const char *message) {
  g_free(call->message);
  call->status = status;
  call->key_state = NULL;
  call->message = g_strdup(message);
}

static void finish(struct job *job) {
  struct annals_key_call *call = job->call;
  g_atomic_int_add(&job->kms->call_count, -1);
  g_free(job->body);
  g_free(job);
  call->on_done(call);
}

static int64_t backoff_us(const struct job *job) {
  int doublings = MIN(job->attempt_count - 1, BACKOFF_DOUBLINGS_MAX);
  return (int64_t)(g_random_double() * (double)(job->kms->options.backoff_us << doublings));
}

/* The failure is in the call. */
static void retry_or_finish(struct job *job) {
  int64_t delay_us = backoff_us(job);
  if (job->attempt_count >= job->kms->options.attempts_max ||
      g_get_monotonic_time() + delay_us >= job->deadline_us ||
      annals_exchanges_are_ending(job->kms->exchanges)) {
    finish(job);
  } else {
    annals_exchanges_run_later(job->kms->exchanges, delay_us, try, job);
  }
}

/* --- an attempt --- */

static void note(struct job *job, bool works) {
  annals_breaker_note(&job->kms->breaker, works, g_get_monotonic_time());
}

static void on_answer(struct annals_exchange *exchange) {
  struct job *job = exchange->user;
  struct annals_key_call *call = job->call;
  struct annals_kms_advice advice = {0};
  g_clear_pointer(&call->message, g_free);
  if (exchange->status == HTTP_OK) {
    annals_kms_reply_read(exchange->answer, exchange->answer_bytes, &job->expected, call);
    note(job, call->status == ANNALS_KEY_OK);
    finish(job);
    return;
  }
  const char *text = exchange->status == 0 ? exchange->problem : exchange->answer;
  size_t size = exchange->status == 0 ? strlen(text) : exchange->answer_bytes;
  annals_kms_reply_read_error(exchange->status, text, size, call, &advice);
  note(job, advice.works);
  if (advice.renew && !job->has_renewed) {
    job->has_renewed = true;
    annals_aws_credential_source_renew(job->kms->credentials);
    retry_or_finish(job);
  } else if (advice.retry) {
    retry_or_finish(job);
  } else {
    finish(job);
  }
}

static void send(struct job *job, const struct annals_aws_credentials *credentials) {
  struct aws_kms *kms = job->kms;
  g_autofree char *target = g_strconcat("X-Amz-Target: TrentService.", job->target, NULL);
  g_autofree char *token = credentials->token == NULL
                               ? NULL
                               : g_strconcat("X-Amz-Security-Token: ", credentials->token, NULL);
  const char *headers[] = {"Content-Type: application/x-amz-json-1.1", target, token, NULL};
  job->exchange = (struct annals_exchange){
      .url = kms->url,
      .headers = headers,
      .body = job->body,
      .sign = kms->sign,
      .sign_id = credentials->id,
      .sign_secret = credentials->secret,
      .is_direct = kms->is_loopback,
      .timeout_us = MIN(kms->options.attempt_timeout_us, job->deadline_us - g_get_monotonic_time()),
      .on_done = on_answer,
      .user = job,
  };
  annals_exchanges_begin(kms->exchanges, &job->exchange);
}

static void on_credentials(struct annals_aws_credential_request *request) {
  struct job *job = request->user;
  if (request->credentials != NULL) {
    send(job, request->credentials);
    return;
  }
  bool may_come = request->status == ANNALS_KEY_UNAVAILABLE;
  fail(job->call, request->status, request->message);
  note(job, !may_come);
  if (may_come) {
    retry_or_finish(job);
  } else {
    finish(job);
  }
}

/* What has failed before tells more than that there is no time for another attempt. */
static void try(void *context) {
  struct job *job = context;
  struct aws_kms *kms = job->kms;
  const int64_t now_us = g_get_monotonic_time();
  if (annals_exchanges_are_ending(kms->exchanges)) {
    fail(job->call, ANNALS_KEY_UNAVAILABLE, "the server is stopping");
    finish(job);
  } else if (now_us >= job->deadline_us) {
    if (job->attempt_count == 0) {
      fail(job->call, ANNALS_KEY_UNAVAILABLE, "there was no time left to ask KMS");
    }
    finish(job);
  } else if (!annals_breaker_admit(&kms->breaker, now_us)) {
    if (job->attempt_count == 0) {
      fail(job->call, ANNALS_KEY_UNAVAILABLE,
           "KMS failed several times in a row, and is left alone for a while");
    }
    finish(job);
  } else {
    job->attempt_count++;
    job->credentials = (struct annals_aws_credential_request){
        .on_done = on_credentials,
        .user = job,
    };
    annals_aws_credential_source_request(kms->credentials, &job->credentials);
  }
}

/* --- calls --- */

/* Takes members. */
static void begin(struct aws_kms *kms, struct annals_key_call *call, const char *target,
                  struct annals_kms_expected expected, json_t *members) {
  if (g_atomic_int_add(&kms->call_count, 1) >= kms->options.calls_max) {
    g_atomic_int_add(&kms->call_count, -1);
    json_decref(members);
    fail(call, ANNALS_KEY_THROTTLED, "as many calls of KMS are under way as there may be");
    call->on_done(call);
    return;
  }
  struct job *job = g_new0(struct job, 1);
  char *body = json_dumps(members, JSON_COMPACT);
  g_assert(body != NULL);
  const int64_t latest_us = g_get_monotonic_time() + kms->options.timeout_us;
  *job = (struct job){
      .kms = kms,
      .call = call,
      .target = target,
      .expected = expected,
      .body = g_strdup(body),
      .deadline_us = call->deadline_us > 0 ? MIN(call->deadline_us, latest_us) : latest_us,
  };
  free(body);
  json_decref(members);
  annals_exchanges_run(kms->exchanges, try, job);
}

static json_t *context_of(const struct annals_key_call *call) {
  return json_pack("{s:s}", call->context_name, call->context_value);
}

/* NULL: the call has ended, as what it names is no text that JSON could have. */
static json_t *check(json_t *members, struct annals_key_call *call) {
  if (members == NULL) {
    fail(call, ANNALS_KEY_INVALID_STATE, "the key or the context is not UTF-8 text");
    call->on_done(call);
  }
  return members;
}

static void aws_generate(struct annals_key_provider *base, struct annals_key_call *call) {
  json_t *members = json_pack("{s:s, s:s, s:o}", "KeyId", call->key_id, "KeySpec", "AES_256",
                              "EncryptionContext", context_of(call));
  if (check(members, call) != NULL) {
    const struct annals_kms_expected expected = {.plain = true, .wrapped = true};
    begin((struct aws_kms *)base, call, "GenerateDataKey", expected, members);
  }
}

static char *base64_of(GBytes *bytes) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);
  return g_base64_encode(data, size);
}

static void aws_unwrap(struct annals_key_provider *base, struct annals_key_call *call,
                       GBytes *wrapped) {
  g_autofree char *blob = base64_of(wrapped);
  json_t *members = json_pack("{s:s, s:o, s:s*}", "CiphertextBlob", blob, "EncryptionContext",
                              context_of(call), "KeyId", call->key_id);
  if (check(members, call) != NULL) {
    const struct annals_kms_expected expected = {.plain = true};
    begin((struct aws_kms *)base, call, "Decrypt", expected, members);
  }
}

static void aws_rewrap(struct annals_key_provider *base, struct annals_key_call *call,
                       GBytes *wrapped, const char *from_key_id) {
  g_autofree char *blob = base64_of(wrapped);
  json_t *members =
      json_pack("{s:s, s:o, s:o, s:s, s:s*}", "CiphertextBlob", blob, "SourceEncryptionContext",
                context_of(call), "DestinationEncryptionContext", context_of(call),
                "DestinationKeyId", call->key_id, "SourceKeyId", from_key_id);
  if (check(members, call) != NULL) {
    const struct annals_kms_expected expected = {.wrapped = true};
    begin((struct aws_kms *)base, call, "ReEncrypt", expected, members);
  }
}

static void aws_end(struct annals_key_provider *base) {
  annals_exchanges_end(((struct aws_kms *)base)->exchanges);
}

static void aws_free(struct annals_key_provider *base) {
  struct aws_kms *kms = (struct aws_kms *)base;
  annals_exchanges_free(kms->exchanges);
  annals_aws_credential_source_free(kms->credentials);
  g_free(kms->url);
  g_free(kms->sign);
  g_free(kms);
}

static const struct annals_key_provider_ops OPS = {
    .generate = aws_generate,
    .unwrap = aws_unwrap,
    .rewrap = aws_rewrap,
    .end = aws_end,
    .free = aws_free,
};

/* --- making --- */

static const char *or_null(const char *text) {
  return text != NULL && *text != '\0' ? text : NULL;
}

static int64_t or_else(int64_t value, int64_t other) {
  return value != 0 ? value : other;
}

static void fill_in(struct annals_aws_kms_options *options) {
  options->getenv_of = options->getenv_of != NULL ? options->getenv_of : g_getenv;
  options->timeout_us = or_else(options->timeout_us, 10 * G_USEC_PER_SEC);
  options->attempt_timeout_us = or_else(options->attempt_timeout_us, 5 * G_USEC_PER_SEC);
  options->backoff_us = or_else(options->backoff_us, G_USEC_PER_SEC / 10);
  options->attempts_max = (int)or_else(options->attempts_max, 4);
  options->calls_max = (int)or_else(options->calls_max, 1024);
  options->connections_max = (int)or_else(options->connections_max, 16);
  options->breaker_failures_max = (int)or_else(options->breaker_failures_max, 5);
  options->breaker_open_us = or_else(options->breaker_open_us, 5 * G_USEC_PER_SEC);
}

/* NULL: none is given that may be one. */
static const char *find_region(const struct annals_aws_kms_options *options, GError **error) {
  const char *region = or_null(options->region);
  region = region != NULL ? region : or_null(options->getenv_of("AWS_REGION"));
  region = region != NULL ? region : or_null(options->getenv_of("AWS_DEFAULT_REGION"));
  region = region != NULL || or_null(options->endpoint) == NULL ? region : "us-east-1";
  if (region == NULL || !annals_endpoint_is_region(region)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--kms-region %s: a region such as us-east-1 is expected",
                region != NULL ? region : "");
    return NULL;
  }
  return region;
}

static bool check_endpoint(const char *text, bool allow_plaintext, bool *ret_is_loopback,
                           GError **error) {
  struct annals_endpoint endpoint;
  if (!annals_endpoint_parse(text, &endpoint)) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--kms-endpoint %s: http(s)://HOST[:PORT] is expected", text);
    return false;
  }
  g_free(endpoint.host);
  *ret_is_loopback = endpoint.is_loopback;
  if (!endpoint.is_https && !endpoint.is_loopback && !allow_plaintext) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--kms-endpoint %s: data keys would travel in the clear; use https, a loopback "
                "address, or say --allow-plaintext",
                text);
    return false;
  }
  return true;
}

static bool set_up(struct aws_kms *kms, GError **error) {
  const struct annals_aws_kms_options *options = &kms->options;
  const char *region = find_region(options, error);
  if (region == NULL) {
    return false;
  }
  const char *endpoint = or_null(options->endpoint);
  kms->url = endpoint != NULL ? g_strdup(endpoint) : annals_endpoint_of_aws("kms", region);
  kms->sign = g_strdup_printf("aws:amz:%s:kms", region);
  if (!check_endpoint(kms->url, options->allow_plaintext, &kms->is_loopback, error)) {
    return false;
  }
  kms->exchanges = annals_exchanges_new(or_null(options->getenv_of("AWS_CA_BUNDLE")),
                                        options->connections_max, error);
  if (kms->exchanges == NULL) {
    return false;
  }
  kms->credentials =
      annals_aws_credential_source_new(kms->exchanges, region, options->getenv_of, error);
  return kms->credentials != NULL;
}

struct annals_key_provider *annals_aws_kms_new(const struct annals_aws_kms_options *options,
                                               GError **error) {
  struct aws_kms *kms = g_new0(struct aws_kms, 1);
  kms->base.ops = &OPS;
  kms->options = *options;
  fill_in(&kms->options);
  kms->breaker.failures_max = kms->options.breaker_failures_max;
  kms->breaker.open_us = kms->options.breaker_open_us;
  if (!set_up(kms, error)) {
    aws_free(&kms->base);
    return NULL;
  }
  return &kms->base;
}

enum annals_breaker_state annals_aws_kms_breaker(const struct annals_key_provider *provider) {
  return annals_breaker_state(&((const struct aws_kms *)provider)->breaker);
}
