#include "storage/rocksdb/damage.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/rocksdb/compaction.h"
#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/status.h"

enum { NUMBER_BASE = 10 };

static const char NOTE_NAME[] = "DAMAGED";

/* Finds the number of the table that RocksDB's text names: …/000012.sst offset … */
static bool find_table(const char *text, uint64_t *ret_number) {
  const char *ending = strstr(text, ".sst");
  if (ending == NULL) {
    return false;
  }
  const char *digits = ending;
  while (digits > text && g_ascii_isdigit(digits[-1])) {
    digits--;
  }
  *ret_number = strtoull(digits, NULL, NUMBER_BASE);
  return digits < ending;
}

/* A note that cannot be written is no worse than none: the next one who meets the damage tries. */
static void note(const char *dir, uint64_t number, const char *text) {
  g_autofree char *path = g_build_filename(dir, NOTE_NAME, NULL);
  g_autofree char *line = g_strdup_printf("%" G_GUINT64_FORMAT "\n", number);
  g_autoptr(GError) error = NULL;
  (void)g_file_set_contents_full(path, line, -1, G_FILE_SET_CONTENTS_DURABLE, 0600, &error);
  g_warning("compactions are off until this is repaired: %s%s%s", text,
            error != NULL ? "; it cannot be noted: " : "", error != NULL ? error->message : "");
}

void annals_damage_found_by_read(struct annals_engine *engine, const char *detail) {
  uint64_t number;
  if (annals_status_classify(detail) != ANNALS_STATUS_CORRUPT || !find_table(detail, &number) ||
      !g_atomic_int_compare_and_exchange(&engine->damaged, 0, 1)) {
    return;
  }
  annals_compaction_pause(engine, true);
  note(engine->disk.path, number, detail);
}

void annals_damage_found_by_write(const char *dir, const char *error) {
  uint64_t number;
  bool by_reading = annals_status_classify(error) == ANNALS_STATUS_CORRUPT ||
                    strstr(error, "While pread") != NULL ||
                    strstr(error, "While open a file for random read") != NULL;
  if (by_reading && find_table(error, &number)) {
    note(dir, number, error);
  }
}

void annals_damage_found_behind(struct annals_engine *engine, const char *error) {
  if (g_atomic_int_compare_and_exchange(&engine->damaged, 0, 1)) {
    annals_damage_found_by_write(engine->disk.path, error);
  }
}

static void take_fault(struct annals_directory_check *check, const char *file, const char *text) {
  bool *damaged = check->owner;
  *damaged = true;
  g_warning("compactions are off until this is repaired: %s: %s", file, text);
}

static bool is_damaged(const char *dir, const struct annals_manifest *manifest, uint64_t number) {
  bool damaged = false;
  struct annals_directory_check check = {.path = dir, .on_fault = take_fault, .owner = &damaged};
  annals_directory_check_table(&check, manifest, number);
  return damaged;
}

bool annals_damage_remains(const char *dir, const struct annals_manifest *manifest) {
  g_autofree char *path = g_build_filename(dir, NOTE_NAME, NULL);
  g_autofree char *line = NULL;
  if (!g_file_get_contents(path, &line, NULL, NULL)) {
    return false;
  }
  if (is_damaged(dir, manifest, strtoull(line, NULL, NUMBER_BASE))) {
    return true;
  }
  (void)g_unlink(path);
  return false;
}
