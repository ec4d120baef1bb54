/* Any bytes as a run of frames: encrypted ones are refused, whatever they are, unless they have
 * nothing that is encrypted; leaving that out never fails on what decrypts. And any event that has
 * a canonical form comes back as it was. */
#include <stdint.h>
#include <string.h>

#include "proto/canonical.h"
#include "server/history/event_cipher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char arn[] = "arn:aws:states:us-east-1:123456789012:execution:machine:name";

static void decrypt(const struct annals_schema *schema, struct annals_event_cipher *cipher,
                    const uint8_t *data, size_t size) {
  static const uint8_t key[ANNALS_CIPHER_KEY_BYTES] = {1};
  struct annals_frame frame;
  size_t offset = 0;
  while (annals_frame_next(data, size, &offset, &frame)) {
    struct annals_buffer plain;
    struct annals_buffer bare;
    annals_buffer_init(&plain, 1 << 20);
    annals_buffer_init(&bare, 1 << 20);
    if (frame.data_key > 0) {
      annals_event_cipher_set_key(cipher, frame.data_key, key);
      bool ok = annals_event_cipher_redact(schema, &frame, &bare);
      if (annals_event_cipher_decrypt(cipher, 1, &frame, &plain)) {
        g_assert(ok && plain.len == bare.len && memcmp(plain.data, bare.data, bare.len) == 0);
      }
    }
    annals_buffer_clear(&plain);
    annals_buffer_clear(&bare);
  }
}

static void round_trip(const struct annals_schema *schema, struct annals_event_cipher *cipher,
                       const uint8_t *data, size_t size) {
  static const uint8_t key[ANNALS_CIPHER_KEY_BYTES] = {2};
  struct annals_buffer event;
  struct annals_buffer bytes;
  struct annals_buffer plain;
  struct annals_event_head head;
  struct annals_event_fault fault;
  annals_buffer_init(&event, 1 << 20);
  annals_buffer_init(&bytes, 1 << 20);
  annals_buffer_init(&plain, 1 << 20);
  if (annals_canonical_append(schema, data, size, &event, &head, &fault)) {
    struct annals_frame frame;
    size_t offset = 0;
    annals_event_cipher_set_key(cipher, INT32_MAX, key);
    g_assert(annals_event_cipher_encrypt(cipher, 9, event.data, event.len, &bytes));
    g_assert(annals_frame_next(bytes.data, bytes.len, &offset, &frame) && offset == bytes.len);
    g_assert(annals_event_cipher_decrypt(cipher, 9, &frame, &plain));
    offset = 0;
    g_assert(annals_frame_next(plain.data, plain.len, &offset, &frame) && offset == plain.len);
    g_assert(frame.event_size == event.len);
    g_assert(event.len == 0 || memcmp(frame.event, event.data, event.len) == 0);
  }
  annals_buffer_clear(&event);
  annals_buffer_clear(&bytes);
  annals_buffer_clear(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct annals_schema *schema;
  if (schema == NULL) {
    schema = annals_schema_new();
  }
  struct annals_event_cipher *cipher = annals_event_cipher_new(schema, arn);
  decrypt(schema, cipher, data, size);
  round_trip(schema, cipher, data, size);
  annals_event_cipher_free(cipher);
  return 0;
}
