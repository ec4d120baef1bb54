#include "storage/rocksdb/list_key.h"

#include <string.h>

void annals_list_key_set(GByteArray *key, const struct annals_store_place *place, const char *arn,
                         size_t arn_size) {
  size_t list_size = strlen(place->list);
  g_assert(list_size >= 1 && list_size <= ANNALS_STORE_LIST_NAME_BYTES_MAX);
  g_byte_array_set_size(key, 0);
  g_byte_array_append(key, (const guint8 *)place->list, (guint)list_size + 1);
  g_byte_array_append(key, place->rank, ANNALS_STORE_RANK_BYTES);
  g_byte_array_append(key, (const guint8 *)arn, (guint)arn_size);
}

void annals_list_key_set_end(GByteArray *key, const char *list) {
  g_byte_array_set_size(key, 0);
  g_byte_array_append(key, (const guint8 *)list, (guint)strlen(list));
  g_byte_array_append(key, (const guint8 *)"\x01", 1);
}

bool annals_list_key_parse(const uint8_t *bytes, size_t size, size_t list_size,
                           const uint8_t **ret_position, size_t *ret_position_size) {
  size_t position = list_size + 1;
  if (size <= position + ANNALS_STORE_RANK_BYTES ||
      memchr(bytes + position + ANNALS_STORE_RANK_BYTES, '\0',
             size - position - ANNALS_STORE_RANK_BYTES) != NULL) {
    return false;
  }
  *ret_position = bytes + position;
  *ret_position_size = size - position;
  return true;
}
