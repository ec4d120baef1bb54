/*
 * The .proto files that reflection serves, by name and by what they declare.
 *
 * Floor 3, private to server/rpc. Made of proto/service_descriptors.h; nothing there extends a
 * message.
 *
 * Threads: any, once it is made.
 */
#ifndef ANNALS_SERVER_RPC_DESCRIPTORS_H_
#define ANNALS_SERVER_RPC_DESCRIPTORS_H_

#include <glib.h>
#include <stdbool.h>

#include "proto/buffer.h"

G_BEGIN_DECLS

struct annals_rpc_descriptors;

struct annals_rpc_descriptors *annals_rpc_descriptors_new(void);
void annals_rpc_descriptors_free(struct annals_rpc_descriptors *descriptors);

/*
 * Gives the name of the file that declares a symbol: a message, field, oneof, enum, value, service
 * or method, by its full name. NULL: none does. Owned by descriptors.
 */
const char *annals_rpc_descriptors_file_of(const struct annals_rpc_descriptors *descriptors,
                                           const char *symbol);

/* Tells whether a message has that full name. */
bool annals_rpc_descriptors_has_message(const struct annals_rpc_descriptors *descriptors,
                                        const char *name);

/*
 * Appends a file and all that it imports, the file first, each as a field of type BYTES.
 * False: there is no such file.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_rpc_descriptors_append(const struct annals_rpc_descriptors *descriptors,
                                   const char *file, uint32_t number, struct annals_buffer *out);

G_END_DECLS

#endif
