#include "server/history/quota.h"

#include <pthread.h>
#include <string.h>

#include "server/history/error.h"

/* Buckets count millionths: as many come back in a microsecond as tokens in a second. */
enum { TOKEN = 1000000 };

struct limit {
  int64_t tokens; /* 0: no quota */
  int64_t tokens_per_s;
};

struct bucket {
  int64_t level;
  int64_t filled_us;
};

struct annals_quotas {
  struct limit limits[ANNALS_ACTION_COUNT];
  int64_t (*now_us)(void *context);
  void *now_context;
  pthread_mutex_t lock;
  GHashTable *buckets; /* under lock: principal's name to ANNALS_ACTION_COUNT struct bucket */
};

G_DEFINE_QUARK(annals_quota_error, annals_quota_error)

static int64_t machine_clock(void *context) {
  (void)context;
  return g_get_monotonic_time();
}

/* --- reading --- */

static bool refuse(GError **error, const char *quota, const char *problem) {
  g_set_error(error, ANNALS_QUOTA_ERROR, 0, "'%s': %s", quota, problem);
  return false;
}

static bool find_action(const char *operation, enum annals_action *ret_action) {
  for (int i = 0; i < ANNALS_ACTION_COUNT; i++) {
    if (strcmp(annals_action_operation((enum annals_action)i), operation) == 0) {
      *ret_action = (enum annals_action)i;
      return true;
    }
  }
  return false;
}

static bool read_number(const char *text, int64_t *ret_number) {
  guint64 number = 0;
  bool ok = g_ascii_string_to_unsigned(text, 10, 1, ANNALS_QUOTA_MAX, &number, NULL);
  *ret_number = (int64_t)number;
  return ok;
}

/* OPERATION=TOKENS:TOKENS_PER_SECOND */
static bool read_quota(struct annals_quotas *quotas, const char *text, GError **error) {
  g_auto(GStrv) sides = g_strsplit(text, "=", 2);
  g_auto(GStrv) numbers = g_strsplit(sides[0] != NULL && sides[1] != NULL ? sides[1] : "", ":", 2);
  struct limit limit;
  if (g_strv_length(numbers) != 2 || !read_number(numbers[0], &limit.tokens) ||
      !read_number(numbers[1], &limit.tokens_per_s)) {
    return refuse(error, text,
                  "OPERATION=TOKENS:TOKENS_PER_SECOND is expected, with numbers from 1 to 1000000");
  }
  enum annals_action action;
  if (!find_action(sides[0], &action)) {
    return refuse(error, text, "there is no such operation");
  }
  if (quotas->limits[action].tokens != 0) {
    return refuse(error, text, "the operation has a quota already");
  }
  quotas->limits[action] = limit;
  return true;
}

struct annals_quotas *annals_quotas_new(const char *text, int64_t (*now_us)(void *context),
                                        void *now_context, GError **error) {
  struct annals_quotas *quotas = g_new0(struct annals_quotas, 1);
  quotas->now_us = now_us != NULL ? now_us : machine_clock;
  quotas->now_context = now_context;
  quotas->buckets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  pthread_mutex_init(&quotas->lock, NULL);
  g_auto(GStrv) list = g_strsplit(text, ",", -1);
  for (char **quota = list; *quota != NULL; quota++) {
    if (!read_quota(quotas, g_strstrip(*quota), error)) {
      annals_quotas_free(quotas);
      return NULL;
    }
  }
  return quotas;
}

void annals_quotas_free(struct annals_quotas *quotas) {
  if (quotas != NULL) {
    pthread_mutex_destroy(&quotas->lock);
    g_hash_table_unref(quotas->buckets);
    g_free(quotas);
  }
}

/* --- calls --- */

static struct bucket *find_bucket(struct annals_quotas *quotas, const char *principal,
                                  enum annals_action action, int64_t now_us) {
  struct bucket *buckets = g_hash_table_lookup(quotas->buckets, principal);
  if (buckets == NULL) {
    buckets = g_new(struct bucket, ANNALS_ACTION_COUNT);
    for (size_t i = 0; i < ANNALS_ACTION_COUNT; i++) {
      buckets[i] = (struct bucket){.level = quotas->limits[i].tokens * TOKEN, .filled_us = now_us};
    }
    g_hash_table_insert(quotas->buckets, g_strdup(principal), buckets);
  }
  return &buckets[action];
}

/* Returns 0, or how long the next token takes to come. */
static int64_t take(struct bucket *bucket, const struct limit *limit, int64_t now_us) {
  int64_t missing = limit->tokens * TOKEN - bucket->level;
  int64_t elapsed_us = now_us - bucket->filled_us;
  bucket->level +=
      elapsed_us > missing / limit->tokens_per_s ? missing : elapsed_us * limit->tokens_per_s;
  bucket->filled_us = now_us;
  if (bucket->level >= TOKEN) {
    bucket->level -= TOKEN;
    return 0;
  }
  return (TOKEN - bucket->level + limit->tokens_per_s - 1) / limit->tokens_per_s;
}

bool annals_quotas_take(struct annals_quotas *quotas, const char *principal,
                        enum annals_action action, GError **error) {
  if (quotas == NULL || quotas->limits[action].tokens == 0) {
    return true;
  }
  /* No group of the credentials file has an empty name. */
  const char *name = principal != NULL ? principal : "";
  pthread_mutex_lock(&quotas->lock);
  int64_t now_us = quotas->now_us(quotas->now_context);
  int64_t wait_us =
      take(find_bucket(quotas, name, action, now_us), &quotas->limits[action], now_us);
  pthread_mutex_unlock(&quotas->lock);
  if (wait_us == 0) {
    return true;
  }
  GError *exceeded = annals_error_new(ANNALS_REASON_RATE_EXCEEDED, "the quota of %s is used up",
                                      annals_action_operation(action));
  annals_error_add_metadata(exceeded, "operation", "%s", annals_action_operation(action));
  annals_error_set_retry_ms(exceeded, (int)((wait_us + 999) / 1000));
  g_propagate_error(error, exceeded);
  return false;
}
