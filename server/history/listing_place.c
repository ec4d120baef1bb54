#include "server/history/listing_place.h"

#include <string.h>

#include "server/history/arn.h"

G_STATIC_ASSERT((int)ANNALS_MAP_RUN_ARN_BYTES_MAX + 3 <= (int)ANNALS_STORE_LIST_NAME_BYTES_MAX);

char *annals_listing_name(const char *parent_arn, enum annals_status status, bool redriven) {
  static const char letters[] = {
      [ANNALS_STATUS_RUNNING] = 'R', [ANNALS_STATUS_SUCCEEDED] = 'S',
      [ANNALS_STATUS_FAILED] = 'F',  [ANNALS_STATUS_TIMED_OUT] = 'T',
      [ANNALS_STATUS_ABORTED] = 'A',
  };
  return g_strdup_printf("%s %c%c", parent_arn, letters[status], redriven ? 'r' : 'n');
}

static void set_rank(uint8_t rank[ANNALS_STORE_RANK_BYTES], guint64 seconds, guint32 nanos) {
  seconds = GUINT64_TO_BE(seconds);
  nanos = GUINT32_TO_BE(nanos);
  memcpy(rank, &seconds, sizeof seconds);
  memcpy(rank + sizeof seconds, &nanos, sizeof nanos);
}

void annals_listing_closed_rank(int64_t stop_seconds, int32_t stop_nanos,
                                uint8_t ret_rank[ANNALS_STORE_RANK_BYTES]) {
  set_rank(ret_rank, (guint64)stop_seconds, (guint32)stop_nanos);
}

/* A version and an alias of one name, which AWS does not allow, are one parent. */
static bool stands_in(const struct annals_listing_places *places, const char *list) {
  for (size_t i = 0; i < places->count; i++) {
    if (strcmp(places->lists[i], list) == 0) {
      return true;
    }
  }
  return false;
}

static void add(struct annals_listing_places *places, const struct annals_execution *execution,
                const char *parent_arn) {
  g_autofree char *list =
      annals_listing_name(parent_arn, execution->status, execution->redrive_count > 0);
  if (stands_in(places, list)) {
    return;
  }
  struct annals_store_place *place = &places->places[places->count];
  /* Those that started last come first: the time counts down. */
  set_rank(place->rank, ~(guint64)execution->start_seconds, ~(guint32)execution->start_nanos);
  place->list = places->lists[places->count++] = g_steal_pointer(&list);
}

/* A version or an alias comes from an event as it is: it may be no ARN, or another machine's. */
static void add_qualified(struct annals_listing_places *places,
                          const struct annals_execution *execution, const char *qualified_arn) {
  size_t size = strlen(execution->state_machine_arn);
  if (strncmp(qualified_arn, execution->state_machine_arn, size) == 0 &&
      qualified_arn[size] == ':' && annals_qualified_state_machine_arn_check(qualified_arn, NULL)) {
    add(places, execution, qualified_arn);
  }
}

static void add_closed(struct annals_listing_places *places,
                       const struct annals_execution *execution) {
  struct annals_store_place *place = &places->places[places->count];
  annals_listing_closed_rank(execution->stop_seconds, execution->stop_nanos, place->rank);
  place->list = places->lists[places->count++] = g_strdup(ANNALS_LISTING_CLOSED);
}

void annals_listing_places_init(struct annals_listing_places *places,
                                const struct annals_execution *execution) {
  places->count = 0;
  add(places, execution, execution->state_machine_arn);
  add_qualified(places, execution, execution->state_machine_version_arn);
  add_qualified(places, execution, execution->state_machine_alias_arn);
  if (*execution->map_run_arn != '\0' && annals_map_run_arn_check(execution->map_run_arn, NULL)) {
    add(places, execution, execution->map_run_arn);
  }
  if (execution->stopped) {
    add_closed(places, execution);
  }
}

void annals_listing_places_clear(struct annals_listing_places *places) {
  for (size_t i = 0; i < places->count; i++) {
    g_free(places->lists[i]);
  }
  places->count = 0;
}
