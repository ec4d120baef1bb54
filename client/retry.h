/*
 * When to try again, and how long to wait before. Private to the library.
 */
#ifndef ANNALS_CLIENT_RETRY_H_
#define ANNALS_CLIENT_RETRY_H_

#include "client/annals.h"

G_BEGIN_DECLS

/*
 * Tells whether a call, which its caller has not cancelled and which has failed so many times in a
 * row, may be tried again, and how long to wait first: a time that doubles from 100 ms to 5 s, of
 * which a random part up to a half is left out, so that clients do not come back all at once; or
 * what the server asks for.
 */
G_GNUC_WARN_UNUSED_RESULT
bool annals_client_retry_delay(const GError *error, int failures, int64_t *ret_delay_ms);

G_END_DECLS

#endif
