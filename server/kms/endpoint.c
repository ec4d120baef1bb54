#include "server/kms/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { REGION_BYTES_MAX = 32 };

static bool is_loopback(const char *host) {
  struct in_addr four;
  struct in6_addr six;
  if (inet_pton(AF_INET, host, &four) == 1) {
    return ntohl(four.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
  }
  return inet_pton(AF_INET6, host, &six) == 1 ? IN6_IS_ADDR_LOOPBACK(&six)
                                              : g_ascii_strcasecmp(host, "localhost") == 0;
}

bool annals_endpoint_parse(const char *url, struct annals_endpoint *ret_endpoint) {
  g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_NONE, NULL);
  if (uri == NULL || g_uri_get_host(uri) == NULL || *g_uri_get_host(uri) == '\0' ||
      g_uri_get_userinfo(uri) != NULL || g_uri_get_query(uri) != NULL ||
      g_uri_get_fragment(uri) != NULL) {
    return false;
  }
  const char *scheme = g_uri_get_scheme(uri);
  bool is_https = strcmp(scheme, "https") == 0;
  if (!is_https && strcmp(scheme, "http") != 0) {
    return false;
  }
  *ret_endpoint = (struct annals_endpoint){
      .is_https = is_https,
      .is_loopback = is_loopback(g_uri_get_host(uri)),
      .host = g_strdup(g_uri_get_host(uri)),
  };
  return true;
}

char *annals_endpoint_of_aws(const char *service, const char *region) {
  return g_strdup_printf("https://%s.%s.amazonaws.com%s/", service, region,
                         g_str_has_prefix(region, "cn-") ? ".cn" : "");
}

bool annals_endpoint_is_region(const char *text) {
  return *text != '\0' && strlen(text) <= REGION_BYTES_MAX &&
         strspn(text, G_CSET_a_2_z G_CSET_DIGITS "-") == strlen(text);
}
