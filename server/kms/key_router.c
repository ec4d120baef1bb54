#include "server/kms/key_router.h"

#include "server/kms/local_provider.h"

struct router {
  struct annals_key_provider base;
  struct annals_key_provider *local;
  struct annals_key_provider *aws;
};

static bool is_local(const char *key_id, GBytes *wrapped) {
  return key_id != NULL ? g_str_has_prefix(key_id, ANNALS_LOCAL_KEY_PREFIX)
                        : annals_local_provider_wrapped(wrapped);
}

static void fail(struct annals_key_call *call, enum annals_key_status status, const char *key_state,
                 const char *message) {
  call->status = status;
  call->key_state = key_state;
  call->message = g_strdup(message);
  call->on_done(call);
}

/* NULL: there is none, and the call has ended. */
static struct annals_key_provider *find(struct router *router, struct annals_key_call *call,
                                        bool local) {
  struct annals_key_provider *provider = local ? router->local : router->aws;
  if (provider == NULL) {
    fail(call, ANNALS_KEY_INVALID_STATE, "UNAVAILABLE",
         local ? "this server has no key file (--kms-key-file)"
               : "this server does not ask AWS KMS (--kms-region, --kms-endpoint)");
  }
  return provider;
}

static void router_generate(struct annals_key_provider *base, struct annals_key_call *call) {
  struct annals_key_provider *provider =
      find((struct router *)base, call, is_local(call->key_id, NULL));
  if (provider != NULL) {
    provider->ops->generate(provider, call);
  }
}

static void router_unwrap(struct annals_key_provider *base, struct annals_key_call *call,
                          GBytes *wrapped) {
  struct annals_key_provider *provider =
      find((struct router *)base, call, is_local(call->key_id, wrapped));
  if (provider != NULL) {
    provider->ops->unwrap(provider, call, wrapped);
  }
}

static void router_rewrap(struct annals_key_provider *base, struct annals_key_call *call,
                          GBytes *wrapped, const char *from_key_id) {
  bool local = is_local(call->key_id, wrapped);
  if (local != is_local(from_key_id, wrapped)) {
    fail(call, ANNALS_KEY_MISMATCH, NULL,
         "a data key does not move between the key file and AWS KMS");
    return;
  }
  struct annals_key_provider *provider = find((struct router *)base, call, local);
  if (provider != NULL) {
    provider->ops->rewrap(provider, call, wrapped, from_key_id);
  }
}

static void end(struct annals_key_provider *provider) {
  if (provider != NULL && provider->ops->end != NULL) {
    provider->ops->end(provider);
  }
}

static void router_end(struct annals_key_provider *base) {
  struct router *router = (struct router *)base;
  end(router->local);
  end(router->aws);
}

static void router_free(struct annals_key_provider *base) {
  struct router *router = (struct router *)base;
  if (router->local != NULL) {
    router->local->ops->free(router->local);
  }
  if (router->aws != NULL) {
    router->aws->ops->free(router->aws);
  }
  g_free(router);
}

static const struct annals_key_provider_ops OPS = {
    .generate = router_generate,
    .unwrap = router_unwrap,
    .rewrap = router_rewrap,
    .end = router_end,
    .free = router_free,
};

struct annals_key_provider *annals_key_router_new(struct annals_key_provider *local,
                                                  struct annals_key_provider *aws) {
  struct router *router = g_new(struct router, 1);
  *router = (struct router){.base.ops = &OPS, .local = local, .aws = aws};
  return &router->base;
}
