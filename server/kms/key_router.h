/*
 * The providers there are, as one: which serves a key is said by its id.
 *
 * Floor 1. local:NAME is the key file's; all else is AWS KMS's. Where no key id is given, the
 * wrapped form tells. A data key does not move from one provider to another.
 */
#ifndef ANNALS_SERVER_KMS_KEY_ROUTER_H_
#define ANNALS_SERVER_KMS_KEY_ROUTER_H_

#include <glib.h>

#include "server/kms/key_provider.h"

G_BEGIN_DECLS

/* Takes both, either of which may be NULL: its keys are then not to be had. */
struct annals_key_provider *annals_key_router_new(struct annals_key_provider *local,
                                                  struct annals_key_provider *aws);

G_END_DECLS

#endif
