#include "storage/rocksdb/verification.h"

#include <string.h>

#include "storage/outcome.h"
#include "storage/rocksdb/cursor.h"
#include "storage/rocksdb/directory.h"
#include "storage/rocksdb/execution_check.h"
#include "storage/rocksdb/listing_check.h"

enum {
  THROTTLE_BYTES = 256 << 10, /* how far apart it looks at the clock */
  SCAN_READAHEAD_BYTES = 1 << 20,
  BATCH_KEYS_MAX = 1000,
  SLEEP_US = 50 * 1000,
};

/* ---- how fast ------------------------------------------------------------------------------ */

static int64_t due_us(const struct annals_verification *verification) {
  uint64_t rate = verification->request->bytes_per_second;
  if (rate == 0 || verification->throttled_us == 0) {
    return 0;
  }
  double seconds = (double)verification->throttled_bytes / (double)rate;
  return verification->throttled_us + (int64_t)(seconds * G_USEC_PER_SEC);
}

/* Waits until it is not too fast, in pieces: it may be told to stop meanwhile. */
static void throttle(struct annals_verification *verification) {
  struct annals_store_verify *request = verification->request;
  const int64_t until_us = due_us(verification);
  int64_t left_us;
  do {
    verification->stopped = request->on_progress != NULL && !request->on_progress(request);
    left_us = until_us - g_get_monotonic_time();
    if (left_us > 0 && !verification->stopped) {
      g_usleep((gulong)MIN(left_us, SLEEP_US));
    }
  } while (left_us > 0 && !verification->stopped);
  verification->throttled_us = g_get_monotonic_time();
  verification->throttled_bytes = 0;
}

bool annals_verification_read(struct annals_verification *verification, size_t bytes) {
  verification->request->summary.bytes += (int64_t)bytes;
  verification->throttled_bytes += (int64_t)bytes;
  if (verification->throttled_bytes >= THROTTLE_BYTES && !verification->stopped) {
    throttle(verification);
  }
  return !verification->stopped;
}

/* ---- faults -------------------------------------------------------------------------------- */

void annals_verification_fault(struct annals_verification *verification,
                               const struct annals_store_fault *fault) {
  struct annals_store_verify *request = verification->request;
  if (verification->muted) {
    return;
  }
  request->summary.faults++;
  request->summary.repaired += fault->repaired;
  request->on_fault(request, fault);
}

/* RocksDB writes "… in /path/000012.sst offset …". Gives 000012.sst, or "". */
static char *file_of(const char *error) {
  static const char *const endings[] = {".sst", ".blob", ".log"};
  for (size_t i = 0; i < G_N_ELEMENTS(endings); i++) {
    const char *ending = strstr(error, endings[i]);
    if (ending != NULL) {
      const char *start = ending;
      while (start > error && g_ascii_isdigit(start[-1])) {
        start--;
      }
      return g_strndup(start, (gsize)(ending - start) + strlen(endings[i]));
    }
  }
  return g_strdup("");
}

void annals_verification_unreadable(struct annals_verification *verification,
                                    enum annals_family family, const char *arn,
                                    char *rocksdb_error) {
  g_autofree char *file = file_of(rocksdb_error);
  g_autofree char *text = g_strdup_printf("cannot be read: %s", rocksdb_error);
  g_strdelimit(text, "\r\n", ' ');
  annals_verification_fault(verification, &(struct annals_store_fault){
                                              .file = file,
                                              .part = annals_family_name(family),
                                              .arn = arn,
                                              .text = text,
                                          });
  rocksdb_free(rocksdb_error);
}

bool annals_verification_get(struct annals_verification *verification, enum annals_family family,
                             const char *arn, const uint8_t *key, size_t key_size,
                             GBytes **ret_value) {
  char *error = NULL;
  size_t size = 0;
  char *value =
      rocksdb_get_cf(verification->db, verification->get_options, verification->families[family],
                     (const char *)key, key_size, &size, &error);
  *ret_value = NULL;
  if (error != NULL) {
    annals_verification_unreadable(verification, family, arn, error);
    return false;
  }
  if (value != NULL) {
    *ret_value = g_bytes_new(value, size);
    rocksdb_free(value);
    annals_verification_read(verification, size);
  }
  return true;
}

/* ---- files --------------------------------------------------------------------------------- */

/* What histories say can be made anew. */
static bool can_be_rebuilt(enum annals_family family) {
  return family == ANNALS_FAMILY_EXECUTIONS || family == ANNALS_FAMILY_LISTINGS;
}

static void on_fault(struct annals_directory_check *check, const char *file, const char *text) {
  struct annals_verification *verification = check->owner;
  struct annals_store_fault fault = {.file = file, .part = "", .arn = "", .text = text};
  for (int i = 0; check->part != NULL && i < ANNALS_FAMILY_COUNT; i++) {
    if (strcmp(annals_family_name((enum annals_family)i), check->part) == 0) {
      verification->damaged[i] = true;
      fault.part = check->part;
      fault.repaired =
          verification->repair != ANNALS_REPAIR_NONE && can_be_rebuilt((enum annals_family)i);
    }
  }
  annals_verification_fault(verification, &fault);
}

static bool on_bytes(struct annals_directory_check *check, size_t bytes) {
  return annals_verification_read(check->owner, bytes);
}

bool annals_verification_check_files(struct annals_verification *verification, const char *path,
                                     bool in_use) {
  struct annals_manifest manifest = {0};
  struct annals_directory_check check = {
      .path = path,
      .on_fault = on_fault,
      .on_bytes = on_bytes,
      .owner = verification,
      .logs_may_be_missing = in_use,
  };
  struct annals_store_verify_summary *summary = &verification->request->summary;
  bool ok = annals_directory_check_logs(&check, &manifest);
  (void)annals_verification_read(verification, check.bytes);
  if (ok && manifest.path != NULL) {
    ok = annals_directory_check_tables(&check, &manifest, in_use);
  }
  summary->unchecked_files = (int64_t)check.unchecked_count;
  annals_manifest_clear(&manifest);
  return ok;
}

/* ---- repairs ------------------------------------------------------------------------------- */

void annals_verification_flush(struct annals_verification *verification) {
  if (verification->batch == NULL || verification->write_error != NULL) {
    return;
  }
  rocksdb_writeoptions_t *options = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(options, 1);
  rocksdb_write(verification->db, options, verification->batch, &verification->write_error);
  rocksdb_writeoptions_destroy(options);
  rocksdb_writebatch_clear(verification->batch);
  verification->stopped |= verification->write_error != NULL;
}

static void flush_if_big(struct annals_verification *verification) {
  if (rocksdb_writebatch_count(verification->batch) >= BATCH_KEYS_MAX) {
    annals_verification_flush(verification);
  }
}

bool annals_verification_put(struct annals_verification *verification, enum annals_family family,
                             const uint8_t *key, size_t key_size, GBytes *value) {
  if (verification->repair == ANNALS_REPAIR) {
    gsize size;
    const char *bytes = g_bytes_get_data(value, &size);
    rocksdb_writebatch_put_cf(verification->batch, verification->families[family],
                              (const char *)key, key_size, bytes, size);
    flush_if_big(verification);
  }
  return verification->repair != ANNALS_REPAIR_NONE;
}

bool annals_verification_delete(struct annals_verification *verification, enum annals_family family,
                                const uint8_t *key, size_t key_size) {
  if (verification->repair == ANNALS_REPAIR) {
    rocksdb_writebatch_delete_cf(verification->batch, verification->families[family],
                                 (const char *)key, key_size);
    flush_if_big(verification);
  }
  return verification->repair != ANNALS_REPAIR_NONE;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* What repairs is alone, and sees what it has written; all others see one moment. */
static void open_views(struct annals_verification *verification) {
  verification->scan_options = rocksdb_readoptions_create();
  verification->get_options = rocksdb_readoptions_create();
  annals_tier_apply(ANNALS_TIER_DISK_ONCE, verification->scan_options);
  rocksdb_readoptions_set_total_order_seek(verification->scan_options, 1);
  rocksdb_readoptions_set_readahead_size(verification->scan_options, SCAN_READAHEAD_BYTES);
  if (verification->repair == ANNALS_REPAIR_NONE) {
    verification->snapshot = rocksdb_create_snapshot(verification->db);
    rocksdb_readoptions_set_snapshot(verification->scan_options, verification->snapshot);
    rocksdb_readoptions_set_snapshot(verification->get_options, verification->snapshot);
  }
  if (verification->repair == ANNALS_REPAIR) {
    verification->batch = rocksdb_writebatch_create();
  }
}

static void close_views(struct annals_verification *verification) {
  if (verification->batch != NULL) {
    rocksdb_writebatch_destroy(verification->batch);
  }
  rocksdb_readoptions_destroy(verification->scan_options);
  rocksdb_readoptions_destroy(verification->get_options);
  if (verification->snapshot != NULL) {
    rocksdb_release_snapshot(verification->db, verification->snapshot);
  }
}

void annals_verification_run(struct annals_verification *verification) {
  struct annals_store_op *op = &verification->request->op;
  open_views(verification);
  annals_execution_check_all(verification);
  annals_verification_flush(verification);
  if (!verification->stopped) {
    annals_listing_check_all(verification);
    annals_verification_flush(verification);
  }
  close_views(verification);
  if (verification->write_error != NULL) {
    annals_store_op_set(op, ANNALS_STORE_FAILED, verification->write_error);
    rocksdb_free(verification->write_error);
  } else {
    annals_store_op_set(op, verification->stopped ? ANNALS_STORE_UNAVAILABLE : ANNALS_STORE_OK,
                        verification->stopped ? "stopped" : NULL);
  }
}
