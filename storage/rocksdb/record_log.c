#include "storage/rocksdb/record_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "storage/rocksdb/crc32c.h"

enum {
  BLOCK_BYTES = 32 << 10,
  HEADER_BYTES = 7,
  TYPE_OFFSET = 6,
};

enum fragment_type { TYPE_ZERO, TYPE_FULL, TYPE_FIRST, TYPE_MIDDLE, TYPE_LAST };

struct reading {
  struct annals_record_log *log;
  GByteArray *record; /* the fragments of one that has no last one yet */
  bool in_record;
  bool zeros; /* a header of zeros was met: so is all that follows, or it is damage */
  uint8_t block[BLOCK_BYTES];
  size_t block_size;
  size_t at; /* of the fragment in the block */
};

static const enum annals_record_log_end GO_ON = ANNALS_RECORD_LOG_WHOLE;

static enum annals_record_log_end damaged(struct reading *reading, const char *what) {
  g_strlcpy(reading->log->detail, what, sizeof reading->log->detail);
  return ANNALS_RECORD_LOG_DAMAGED;
}

static uint32_t get_crc(const uint8_t *header) {
  uint32_t crc;
  memcpy(&crc, header, sizeof crc);
  return GUINT32_FROM_LE(crc);
}

static size_t get_size(const uint8_t *header) {
  return (size_t)header[4] | (size_t)header[5] << 8;
}

static enum annals_record_log_end failed(struct annals_record_log *log) {
  log->error_number = errno;
  g_strlcpy(log->detail, g_strerror(log->error_number), sizeof log->detail);
  return ANNALS_RECORD_LOG_FAILED;
}

static bool is_zero(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] != 0) {
      return false;
    }
  }
  return true;
}

static bool differ_in_one_byte(size_t a, size_t b) {
  return a != b && ((a ^ b) <= 0xff || ((a ^ b) & 0xff) == 0);
}

/* Tells whether what is there of the payload holds a whole one, under another size. */
static bool fits_another_size(const uint8_t *header, size_t room) {
  uint32_t crc = annals_crc32c_extend(0, header + TYPE_OFFSET, 1);
  for (size_t size = 0; size <= room; size++) {
    if (annals_crc32c_mask(crc) == get_crc(header) && differ_in_one_byte(size, get_size(header))) {
      return true;
    }
    if (size < room) {
      crc = annals_crc32c_extend(crc, header + HEADER_BYTES + size, 1);
    }
  }
  return false;
}

/* The file ends before the fragment does. */
static enum annals_record_log_end end_early(struct reading *reading, const uint8_t *header) {
  size_t room = reading->block_size - reading->at - HEADER_BYTES;
  if (reading->block_size == BLOCK_BYTES ||
      reading->at + HEADER_BYTES + get_size(header) > BLOCK_BYTES) {
    return damaged(reading, "a fragment that reaches into the next block");
  }
  return fits_another_size(header, room) ? damaged(reading, "a fragment of another size")
                                         : ANNALS_RECORD_LOG_TORN;
}

static enum annals_record_log_end end_record(struct reading *reading) {
  struct annals_record_log *log = reading->log;
  reading->in_record = false;
  if (log->on_record == NULL || log->on_record(log, reading->record->data, reading->record->len)) {
    return GO_ON;
  }
  return ANNALS_RECORD_LOG_STOPPED;
}

static enum annals_record_log_end take_fragment(struct reading *reading, const uint8_t *header) {
  uint8_t type = header[TYPE_OFFSET];
  if (type < TYPE_FULL || type > TYPE_LAST) {
    return damaged(reading, "a fragment of unknown type");
  }
  bool begins = type == TYPE_FULL || type == TYPE_FIRST;
  if (begins == reading->in_record) {
    return damaged(reading, begins ? "a record without end" : "a record without beginning");
  }
  if (begins) {
    g_byte_array_set_size(reading->record, 0);
  }
  if (reading->log->on_record != NULL) {
    g_byte_array_append(reading->record, header + HEADER_BYTES, (guint)get_size(header));
  }
  reading->in_record = true;
  reading->at += HEADER_BYTES + get_size(header);
  return type == TYPE_FULL || type == TYPE_LAST ? end_record(reading) : GO_ON;
}

/* Sets *ret_more where another fragment may follow. */
static enum annals_record_log_end read_fragment(struct reading *reading, bool *ret_more) {
  const uint8_t *header = reading->block + reading->at;
  size_t left = reading->block_size - reading->at;
  *ret_more = false;
  if (reading->zeros || left < HEADER_BYTES) {
    bool trailer = reading->block_size == BLOCK_BYTES && left < HEADER_BYTES;
    if (reading->zeros || trailer) {
      return is_zero(header, left) ? GO_ON : damaged(reading, "bytes where zeros should be");
    }
    return left == 0 ? GO_ON : ANNALS_RECORD_LOG_TORN;
  }
  *ret_more = true;
  if (is_zero(header, HEADER_BYTES)) {
    reading->zeros = true;
    return GO_ON;
  }
  if (get_size(header) > left - HEADER_BYTES) {
    return end_early(reading, header);
  }
  uint32_t crc = annals_crc32c_extend(0, header + TYPE_OFFSET, 1 + get_size(header));
  if (annals_crc32c_mask(crc) != get_crc(header)) {
    return damaged(reading, "a fragment that does not fit its checksum");
  }
  return take_fragment(reading, header);
}

static enum annals_record_log_end read_block(struct reading *reading) {
  bool more = true;
  enum annals_record_log_end end = GO_ON;
  reading->at = 0;
  while (more && end == GO_ON) {
    end = read_fragment(reading, &more);
  }
  return end;
}

static enum annals_record_log_end read_file(struct reading *reading, FILE *file) {
  struct annals_record_log *log = reading->log;
  enum annals_record_log_end end = GO_ON;
  uint64_t block_offset = 0;
  do {
    reading->block_size = fread(reading->block, 1, BLOCK_BYTES, file);
    if (ferror(file) != 0) {
      return failed(log);
    }
    end = read_block(reading);
    log->offset = block_offset + reading->at;
    block_offset += reading->block_size;
  } while (end == GO_ON && reading->block_size == BLOCK_BYTES);
  bool torn = end == GO_ON && (reading->zeros || reading->in_record);
  return torn ? ANNALS_RECORD_LOG_TORN : end;
}

enum annals_record_log_end annals_record_log_read(struct annals_record_log *log, const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    return failed(log);
  }
  struct reading *reading = g_new0(struct reading, 1);
  reading->log = log;
  reading->record = g_byte_array_new();
  enum annals_record_log_end end = read_file(reading, file);
  g_byte_array_unref(reading->record);
  g_free(reading);
  fclose(file);
  return end;
}
