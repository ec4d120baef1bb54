/*
 * gRPC's status codes, by name.
 *
 * Floor 1. Source: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
 */
#ifndef ANNALS_PROTO_GRPC_CODE_H_
#define ANNALS_PROTO_GRPC_CODE_H_

#include <glib.h>

G_BEGIN_DECLS

/* Gives the name, such as NOT_FOUND; of a code that there is not, UNKNOWN. */
const char *annals_grpc_code_name(int code);

G_END_DECLS

#endif
