/*
 * Calls whose requests are small messages, and what pages of anything have in common. Private to
 * the library.
 */
#ifndef ANNALS_CLIENT_EXCHANGE_H_
#define ANNALS_CLIENT_EXCHANGE_H_

#include "client/call.h"
#include "proto/buffer.h"

G_BEGIN_DECLS

/*
 * Serialises a request.
 *
 * Memory: the caller clears *ret_bytes, or hands its bytes on.
 * Errors: INVALID_REQUEST when the transport would not take it.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_pack(const ProtobufCMessage *message, struct annals_buffer *ret_bytes,
                        GError **error);

/*
 * Calls a method with a message and waits for the answer.
 *
 * Memory: appends the answer to response, which the caller clears in any case.
 * Errors: as annals_client_call(), and INVALID_REQUEST for a message that the transport would not
 *   take.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_exchange(struct annals_client *client, const struct annals_client_method *method,
                            const ProtobufCMessage *request, struct annals_buffer *response,
                            GError **error);

/* protobuf-c has no const, and no NULL for what is absent; packing only reads. */
char *annals_client_text(const char *text);

/* An answer of items (field 1) and a token (field 2). */
struct annals_client_items {
  struct annals_buffer bytes;  /* the whole answer */
  GArray *views;               /* struct annals_client_bytes into bytes */
  ProtobufCMessage **unpacked; /* as many; NULL until asked for */
  char *next_token;            /* "": none */
};

void annals_client_items_init(struct annals_client_items *items);
void annals_client_items_clear(struct annals_client_items *items);

/* Finds items and token in bytes. name: of the answer's message. Errors: INTERNAL. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_items_parse(struct annals_client_items *items, const char *name, GError **error);

/* Gives an item's bytes, which live as long as the items. */
struct annals_client_bytes annals_client_items_bytes(const struct annals_client_items *items,
                                                     size_t index);

/*
 * Gives an item as a structure, unpacked when it is first asked for. Memory: belongs to items.
 * Errors: NULL and INTERNAL when it is something else.
 */
G_GNUC_WARN_UNUSED_RESULT
const ProtobufCMessage *annals_client_items_message(struct annals_client_items *items, size_t index,
                                                    const ProtobufCMessageDescriptor *descriptor,
                                                    GError **error);

G_END_DECLS

#endif
