#include "storage/rocksdb/key.h"

#include <string.h>

/* Above every id, which are int64_t: nothing sorts between the last sealed run and the marker. */
static const uint64_t MARKER_ID = UINT64_MAX;

static void put_id(uint8_t *buffer, uint64_t id) {
  uint64_t big_endian = GUINT64_TO_BE(id);
  memcpy(buffer, &big_endian, sizeof big_endian);
}

static uint64_t get_id(const uint8_t *bytes) {
  uint64_t big_endian;
  memcpy(&big_endian, bytes, sizeof big_endian);
  return GUINT64_FROM_BE(big_endian);
}

size_t annals_key_put_prefix(uint8_t *buffer, const char *arn, size_t arn_size,
                             enum annals_key_kind kind) {
  memcpy(buffer, arn, arn_size);
  buffer[arn_size] = '\0';
  buffer[arn_size + 1] = (uint8_t)kind;
  return arn_size + ANNALS_KEY_PREFIX_EXTRA;
}

size_t annals_key_put_seek(uint8_t *buffer, const char *arn, size_t arn_size,
                           enum annals_key_kind kind, int64_t id) {
  size_t size = annals_key_put_prefix(buffer, arn, arn_size, kind);
  put_id(buffer + size, (uint64_t)id);
  return arn_size + ANNALS_KEY_SEEK_EXTRA;
}

size_t annals_key_put_run(uint8_t *buffer, const char *arn, size_t arn_size,
                          const struct annals_key *key) {
  size_t size = annals_key_put_seek(buffer, arn, arn_size, key->kind, key->last_id);
  put_id(buffer + size, (uint64_t)key->first_id);
  return arn_size + ANNALS_KEY_RUN_EXTRA;
}

size_t annals_key_put_marker(uint8_t *buffer, const char *arn, size_t arn_size) {
  size_t size = annals_key_put_prefix(buffer, arn, arn_size, ANNALS_KEY_SEALED);
  put_id(buffer + size, MARKER_ID);
  return arn_size + ANNALS_KEY_SEEK_EXTRA;
}

size_t annals_key_put_data(uint8_t *buffer, const char *arn, size_t arn_size, int64_t ordinal) {
  return annals_key_put_seek(buffer, arn, arn_size, ANNALS_KEY_DATA, ordinal);
}

void annals_birth_put(uint8_t *buffer, uint64_t birth) {
  put_id(buffer, birth);
}

uint64_t annals_birth_parse(const uint8_t *bytes, size_t size) {
  return size == ANNALS_BIRTH_BYTES ? get_id(bytes) : 0;
}

static bool parse_run(const uint8_t *ids, enum annals_key_kind kind, struct annals_key *ret_key) {
  uint64_t last_id = get_id(ids);
  uint64_t first_id = get_id(ids + 8);
  if (first_id < 1 || first_id > last_id || last_id > INT64_MAX) {
    return false;
  }
  *ret_key = (struct annals_key){
      .kind = kind,
      .first_id = (int64_t)first_id,
      .last_id = (int64_t)last_id,
  };
  return true;
}

static bool parse_data(const uint8_t *bytes, size_t size, struct annals_key *ret_key) {
  uint64_t ordinal = size == sizeof ordinal ? get_id(bytes) : 0;
  *ret_key = (struct annals_key){.kind = ANNALS_KEY_DATA, .last_id = (int64_t)ordinal};
  return ordinal >= 1 && ordinal <= INT64_MAX;
}

bool annals_key_parse(const uint8_t *bytes, size_t size, const char *arn, size_t arn_size,
                      struct annals_key *ret_key) {
  if (size < arn_size + ANNALS_KEY_PREFIX_EXTRA || memcmp(bytes, arn, arn_size) != 0 ||
      bytes[arn_size] != '\0') {
    return false;
  }
  uint8_t kind = bytes[arn_size + 1];
  const uint8_t *ids = bytes + arn_size + ANNALS_KEY_PREFIX_EXTRA;
  if (kind == ANNALS_KEY_DATA) {
    return parse_data(ids, size - arn_size - ANNALS_KEY_PREFIX_EXTRA, ret_key);
  }
  if (kind != ANNALS_KEY_SEALED && kind != ANNALS_KEY_OPEN) {
    return false;
  }
  if (size == arn_size + ANNALS_KEY_RUN_EXTRA) {
    return parse_run(ids, (enum annals_key_kind)kind, ret_key);
  }
  if (size != arn_size + ANNALS_KEY_SEEK_EXTRA || kind != ANNALS_KEY_SEALED ||
      get_id(ids) != MARKER_ID) {
    return false;
  }
  *ret_key = (struct annals_key){.kind = ANNALS_KEY_SEALED, .marker = true};
  return true;
}
