#include "server/history/event_cipher.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "proto/wire.h"

/* What is authenticated with a member: the ARN and NUL, then these. All numbers are big-endian. */
struct place {
  uint64_t event_id;
  uint32_t details; /* the numbers of the fields */
  uint32_t member;
};

enum {
  CIPHER_EXTRA = ANNALS_CIPHER_NONCE_BYTES + ANNALS_CIPHER_TAG_BYTES,
  ARN_BYTES_MAX = 256,
};

struct annals_event_cipher {
  const struct annals_schema *schema;
  EVP_CIPHER_CTX *context;
  int64_t data_key;
  size_t arn_size; /* with its NUL */
  uint8_t authenticated[ARN_BYTES_MAX + 1 + sizeof(struct place)];
};

/* What becomes of a member: a view of its fields as they stand, the value alone if it is no map. */
struct member {
  const struct annals_field *field;
  struct place place;
  const uint8_t *bytes;
  size_t size;
};

/* One event under way. */
struct walk {
  struct annals_event_cipher *cipher; /* NULL: members are left out */
  bool (*take)(struct annals_event_cipher *cipher, const struct member *member,
               struct annals_buffer *out);
  const struct annals_schema *schema;
  bool encrypted; /* the event is: a map is one field */
  int64_t event_id;
  struct annals_buffer *out;
};

struct annals_event_cipher *annals_event_cipher_new(const struct annals_schema *schema,
                                                    const char *execution_arn) {
  struct annals_event_cipher *cipher = g_new0(struct annals_event_cipher, 1);
  cipher->schema = schema;
  cipher->arn_size = strlen(execution_arn) + 1;
  g_assert(cipher->arn_size <= ARN_BYTES_MAX + 1);
  memcpy(cipher->authenticated, execution_arn, cipher->arn_size);
  cipher->context = EVP_CIPHER_CTX_new();
  g_assert(cipher->context != NULL);
  return cipher;
}

void annals_event_cipher_free(struct annals_event_cipher *cipher) {
  if (cipher != NULL) {
    EVP_CIPHER_CTX_free(cipher->context);
    g_free(cipher);
  }
}

void annals_event_cipher_set_key(struct annals_event_cipher *cipher, int64_t data_key,
                                 const uint8_t *bytes) {
  g_assert(data_key > 0);
  if (cipher->data_key != data_key) {
    /* Keeps the schedule for both directions: counter mode only ever encrypts. */
    bool ok = EVP_CipherInit_ex(cipher->context, EVP_aes_256_gcm(), NULL, bytes, NULL, 1) == 1;
    g_assert(ok);
    cipher->data_key = data_key;
  }
}

int64_t annals_event_cipher_key(const struct annals_event_cipher *cipher) {
  return cipher->data_key;
}

/* Begins a member: its nonce, and where it belongs. */
static bool begin(struct annals_event_cipher *cipher, const struct member *member,
                  const uint8_t *nonce, int encrypt) {
  int size;
  memcpy(cipher->authenticated + cipher->arn_size, &member->place, sizeof member->place);
  return EVP_CipherInit_ex(cipher->context, NULL, NULL, NULL, nonce, encrypt) == 1 &&
         EVP_CipherUpdate(cipher->context, NULL, &size, cipher->authenticated,
                          (int)(cipher->arn_size + sizeof member->place)) == 1;
}

static bool encrypt_member(struct annals_event_cipher *cipher, const struct member *member,
                           struct annals_buffer *out) {
  size_t size = member->size + CIPHER_EXTRA;
  annals_wire_append_header(out, member->field->number, size);
  uint8_t *nonce = annals_buffer_reserve(out, size);
  if (nonce == NULL) {
    return false;
  }
  uint8_t *text = nonce + ANNALS_CIPHER_NONCE_BYTES;
  int written;
  int rest;
  bool ok =
      RAND_bytes(nonce, ANNALS_CIPHER_NONCE_BYTES) == 1 && begin(cipher, member, nonce, 1) &&
      EVP_CipherUpdate(cipher->context, text, &written, member->bytes, (int)member->size) == 1 &&
      EVP_CipherFinal_ex(cipher->context, text + written, &rest) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_GET_TAG, ANNALS_CIPHER_TAG_BYTES,
                          text + member->size) == 1;
  g_assert(ok); /* no entropy, no encryption: and nothing is stored as it is instead */
  out->len += size;
  return true;
}

static bool decrypt_member(struct annals_event_cipher *cipher, const struct member *member,
                           struct annals_buffer *out) {
  if (member->size <= CIPHER_EXTRA) {
    return false;
  }
  size_t size = member->size - CIPHER_EXTRA;
  const uint8_t *text = member->bytes + ANNALS_CIPHER_NONCE_BYTES;
  uint8_t tag[ANNALS_CIPHER_TAG_BYTES];
  memcpy(tag, text + size, sizeof tag);
  if (member->field->kind != ANNALS_KIND_STRING_MAP) {
    annals_wire_append_header(out, member->field->number, size);
  }
  uint8_t *to = annals_buffer_reserve(out, size);
  if (to == NULL) {
    return false;
  }
  int written;
  int rest;
  if (!begin(cipher, member, member->bytes, 0) ||
      EVP_CipherUpdate(cipher->context, to, &written, text, (int)size) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher->context, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) != 1 ||
      EVP_CipherFinal_ex(cipher->context, to + written, &rest) != 1) {
    return false;
  }
  out->len += size;
  return true;
}

/* Takes the other fields of a map that stand behind its first one. */
static void take_rest_of_map(struct annals_wire_reader *reader, uint32_t number) {
  struct annals_wire_reader ahead = *reader;
  struct annals_wire_field wire;
  while (annals_wire_next(&ahead, &wire) == ANNALS_WIRE_FIELD && wire.number == number) {
    *reader = ahead;
  }
}

/* Copies what stands between two places. */
static void copy(const struct walk *walk, const uint8_t *from, const uint8_t *to) {
  if (from != to) {
    annals_buffer_append(walk->out, from, (size_t)(to - from));
  }
}

static bool walk_details(const struct walk *walk, const struct annals_field *details,
                         const struct annals_wire_field *whole) {
  struct annals_wire_reader reader = {whole->bytes, whole->bytes + whole->size};
  struct annals_wire_field wire;
  const uint8_t *kept = reader.at; /* and what follows is to be copied */
  for (const uint8_t *start = reader.at; start != reader.end; start = reader.at) {
    if (annals_wire_next(&reader, &wire) != ANNALS_WIRE_FIELD) {
      return false;
    }
    const struct annals_field *field = annals_message_field(details->message, wire.number);
    if (field == NULL || (field->secret && wire.type != ANNALS_WIRE_BYTES)) {
      return false;
    }
    if (!field->secret) {
      continue;
    }
    copy(walk, kept, start);
    struct member member = {field, {0}, wire.bytes, wire.size};
    member.place = (struct place){GUINT64_TO_BE((uint64_t)walk->event_id),
                                  GUINT32_TO_BE(details->number), GUINT32_TO_BE(field->number)};
    if (field->kind == ANNALS_KIND_STRING_MAP && !walk->encrypted) {
      take_rest_of_map(&reader, field->number);
      member.bytes = start;
      member.size = (size_t)(reader.at - start);
    }
    if (walk->cipher != NULL && !walk->take(walk->cipher, &member, walk->out)) {
      return false;
    }
    kept = reader.at;
  }
  copy(walk, kept, reader.end);
  return true;
}

static bool walk_event(const struct walk *walk, const uint8_t *event, size_t size) {
  const struct annals_message *message = annals_schema_event(walk->schema);
  struct annals_wire_reader reader = {event, event + size};
  struct annals_wire_field wire;
  const uint8_t *kept = reader.at; /* as above */
  for (const uint8_t *start = reader.at; start != reader.end; start = reader.at) {
    if (annals_wire_next(&reader, &wire) != ANNALS_WIRE_FIELD) {
      return false;
    }
    const struct annals_field *field = annals_message_field(message, wire.number);
    if (field == NULL || (field->details && wire.type != ANNALS_WIRE_BYTES)) {
      return false;
    }
    if (!field->details) {
      continue;
    }
    copy(walk, kept, start);
    size_t from = walk->out->len;
    if (!walk_details(walk, field, &wire)) {
      return false;
    }
    annals_wire_wrap(walk->out, from, wire.number);
    kept = reader.at;
  }
  copy(walk, kept, reader.end);
  return true;
}

bool annals_event_cipher_encrypt(struct annals_event_cipher *cipher, int64_t event_id,
                                 const uint8_t *event, size_t size, struct annals_buffer *out) {
  uint8_t data_key[ANNALS_VARINT_BYTES_MAX];
  struct walk walk = {cipher, encrypt_member, cipher->schema, false, event_id, out};
  size_t start = out->len;
  g_assert(cipher->data_key > 0);
  annals_buffer_append(out, data_key, annals_wire_put_varint(data_key, (uint64_t)cipher->data_key));
  if (!walk_event(&walk, event, size)) {
    return false;
  }
  annals_wire_wrap(out, start, ANNALS_FRAME_ENCRYPTED_TAG >> 3);
  return !out->failed;
}

/* Appends the event of an encrypted frame as a plain one. */
static bool append_plain(const struct walk *walk, const struct annals_frame *frame) {
  size_t start = walk->out->len;
  if (!walk_event(walk, frame->event, frame->event_size)) {
    return false;
  }
  annals_wire_wrap(walk->out, start, ANNALS_FRAME_TAG >> 3);
  return !walk->out->failed;
}

bool annals_event_cipher_decrypt(struct annals_event_cipher *cipher, int64_t event_id,
                                 const struct annals_frame *frame, struct annals_buffer *out) {
  struct walk walk = {cipher, decrypt_member, cipher->schema, true, event_id, out};
  g_assert(cipher->data_key == frame->data_key);
  return append_plain(&walk, frame);
}

bool annals_event_cipher_redact(const struct annals_schema *schema,
                                const struct annals_frame *frame, struct annals_buffer *out) {
  struct walk walk = {NULL, NULL, schema, true, 0, out};
  return append_plain(&walk, frame);
}
