/*
 * Checks a file in RocksDB's log format byte by byte: write-ahead logs and MANIFEST.
 *
 *   file    blocks of 32 KiB, the last one shorter
 *   block   fragments, then zeros where no header has room
 *   header  masked CRC-32C of type and payload (4 bytes)  size of the payload (2)  type (1)
 *   type    1: a whole record; 2, 3, 4: its first, middle and last fragments
 *
 * RocksDB takes a size that reaches behind the end of the file for a record that was being written
 * when power failed, and drops it without a word: with all that follows, if the size is what is
 * damaged. Here such a fragment is tried with all sizes that differ in one byte: when the CRC of
 * one of them fits, that is damage.
 * Source: RocksDB's wiki, "Write Ahead Log File Format"; numbers are little-endian.
 */
#ifndef ANNALS_STORAGE_ROCKSDB_RECORD_LOG_H_
#define ANNALS_STORAGE_ROCKSDB_RECORD_LOG_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum annals_record_log_end {
  ANNALS_RECORD_LOG_WHOLE,
  ANNALS_RECORD_LOG_TORN,    /* the last record is not all there: it was being written */
  ANNALS_RECORD_LOG_DAMAGED, /* detail says how */
  ANNALS_RECORD_LOG_FAILED,  /* it cannot be read; detail says why */
  ANNALS_RECORD_LOG_STOPPED, /* on_record did not take a record */
};

struct annals_record_log {
  /* Takes a record; the view dies when it returns. Returns whether to go on. NULL: nobody wants
   * records, and none is put together. */
  bool (*on_record)(struct annals_record_log *log, const uint8_t *bytes, size_t size);
  void *owner;

  uint64_t offset;  /* result: of the fragment at which it ended, or the size */
  char detail[160]; /* result */
  int error_number; /* result of FAILED: errno's */
};

/* Reads a log from its beginning. Cost: one pass; memory for one block and one record. */
G_GNUC_WARN_UNUSED_RESULT
enum annals_record_log_end annals_record_log_read(struct annals_record_log *log, const char *path);

G_END_DECLS

#endif
