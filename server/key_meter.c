#include "server/key_meter.h"

#include <stdbool.h>

#include "server/ops/log.h"

enum operation { GENERATE, UNWRAP, REWRAP, OPERATION_COUNT };

enum { STATUS_COUNT = ANNALS_KEY_MISMATCH + 1 };

static const char *const OPERATIONS[OPERATION_COUNT] = {"generate", "unwrap", "rewrap"};
static const char *const OUTCOMES[STATUS_COUNT] = {
    [ANNALS_KEY_OK] = "ok",
    [ANNALS_KEY_ACCESS_DENIED] = "access_denied",
    [ANNALS_KEY_INVALID_STATE] = "invalid_state",
    [ANNALS_KEY_THROTTLED] = "throttled",
    [ANNALS_KEY_UNAVAILABLE] = "unavailable",
    [ANNALS_KEY_MISMATCH] = "mismatch",
};

struct meter {
  struct annals_key_provider base;
  struct annals_key_provider *provider;
  const char *name;
  struct annals_series *calls[OPERATION_COUNT][STATUS_COUNT];
  struct annals_series *seconds[OPERATION_COUNT];
  gint is_away; /* atomic */
};

struct metered_call {
  struct annals_key_call call;
  struct annals_key_call *caller;
  struct meter *meter;
  enum operation operation;
  int64_t begin_us;
};

static void tell(struct meter *meter, const struct annals_key_call *call) {
  if (call->status == ANNALS_KEY_UNAVAILABLE) {
    if (g_atomic_int_compare_and_exchange(&meter->is_away, FALSE, TRUE)) {
      annals_log_warning("the key service is out of reach",
                         ANNALS_LOG_TEXT("provider", meter->name),
                         ANNALS_LOG_TEXT("detail", call->message));
    }
  } else if (call->status == ANNALS_KEY_OK &&
             g_atomic_int_compare_and_exchange(&meter->is_away, TRUE, FALSE)) {
    annals_log_info("the key service is in reach again", ANNALS_LOG_TEXT("provider", meter->name),
                    ANNALS_LOG_TEXT("key", call->key_arn));
  }
}

static void on_done(struct annals_key_call *call) {
  struct metered_call *metered = call->user;
  struct meter *meter = metered->meter;
  struct annals_key_call *caller = metered->caller;
  annals_series_observe(meter->seconds[metered->operation],
                        g_get_monotonic_time() - metered->begin_us);
  annals_series_add(meter->calls[metered->operation][call->status], 1);
  tell(meter, call);
  caller->status = call->status;
  caller->key_state = call->key_state;
  caller->message = call->message;
  caller->wrapped = call->wrapped;
  caller->key_arn = call->key_arn;
  g_free(metered);
  caller->on_done(caller);
}

static struct annals_key_call *begin(struct meter *meter, struct annals_key_call *caller,
                                     enum operation operation) {
  struct metered_call *metered = g_new(struct metered_call, 1);
  *metered = (struct metered_call){
      .call = *caller,
      .caller = caller,
      .meter = meter,
      .operation = operation,
      .begin_us = g_get_monotonic_time(),
  };
  metered->call.on_done = on_done;
  metered->call.user = metered;
  return &metered->call;
}

static void meter_generate(struct annals_key_provider *base, struct annals_key_call *call) {
  struct meter *meter = (struct meter *)base;
  meter->provider->ops->generate(meter->provider, begin(meter, call, GENERATE));
}

static void meter_unwrap(struct annals_key_provider *base, struct annals_key_call *call,
                         GBytes *wrapped) {
  struct meter *meter = (struct meter *)base;
  meter->provider->ops->unwrap(meter->provider, begin(meter, call, UNWRAP), wrapped);
}

static void meter_rewrap(struct annals_key_provider *base, struct annals_key_call *call,
                         GBytes *wrapped, const char *from_key_id) {
  struct meter *meter = (struct meter *)base;
  meter->provider->ops->rewrap(meter->provider, begin(meter, call, REWRAP), wrapped, from_key_id);
}

static void meter_end(struct annals_key_provider *base) {
  struct annals_key_provider *provider = ((struct meter *)base)->provider;
  if (provider->ops->end != NULL) {
    provider->ops->end(provider);
  }
}

static void meter_free(struct annals_key_provider *base) {
  struct meter *meter = (struct meter *)base;
  meter->provider->ops->free(meter->provider);
  g_free(meter);
}

static const struct annals_key_provider_ops OPS = {
    .generate = meter_generate,
    .unwrap = meter_unwrap,
    .rewrap = meter_rewrap,
    .end = meter_end,
    .free = meter_free,
};

struct annals_key_provider *annals_key_meter_new(struct annals_key_provider *provider,
                                                 const char *name, struct annals_metrics *metrics) {
  if (provider == NULL) {
    return NULL;
  }
  struct meter *meter = g_new0(struct meter, 1);
  meter->base.ops = &OPS;
  meter->provider = provider;
  meter->name = name;
  for (int operation = 0; operation < OPERATION_COUNT; operation++) {
    const char *labels[] = {name, OPERATIONS[operation], NULL};
    meter->seconds[operation] =
        annals_metrics_series(metrics, ANNALS_METRIC_KEY_CALL_SECONDS, labels);
    for (int status = 0; status < STATUS_COUNT; status++) {
      labels[2] = OUTCOMES[status];
      meter->calls[operation][status] =
          annals_metrics_series(metrics, ANNALS_METRIC_KEY_CALLS, labels);
    }
  }
  return &meter->base;
}
