/*
 * Where a service is asked, and whether that may be without TLS.
 *
 * Floor 1. Pure functions.
 */
#ifndef ANNALS_SERVER_KMS_ENDPOINT_H_
#define ANNALS_SERVER_KMS_ENDPOINT_H_

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

struct annals_endpoint {
  bool is_https;    /* else http */
  bool is_loopback; /* 127.0.0.0/8, ::1, localhost */
  char *host;       /* without brackets; g_free */
};

/* Reads an URL http(s)://HOST[:PORT][/…] without user, query and fragment. False: it is none. */
G_GNUC_WARN_UNUSED_RESULT
bool annals_endpoint_parse(const char *url, struct annals_endpoint *ret_endpoint);

/* Gives the URL of a service of AWS in a region: https://kms.us-east-1.amazonaws.com/. Memory:
 * g_free() it. */
char *annals_endpoint_of_aws(const char *service, const char *region);

/* Tells whether a text may be the name of a region. */
bool annals_endpoint_is_region(const char *text);

G_END_DECLS

#endif
