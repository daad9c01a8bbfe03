"""The rules of `postroom lint`, each with what to do and its source. The docs list them; a test compares."""

from postroom_cli.lint.finding import Check

_HTML_MAIL = "https://mailchimp.com/help/about-html-email/"

# The file of a message.
BROKEN_MIME = Check(
    "broken-mime", "error", "Let a mail library write the message, and send what it wrote", "RFC 2046 section 5.1.1"
)
LONG_LINE = Check(
    "long-line",
    "error",
    "Encode the body as quoted-printable or base64, and fold the headers",
    "RFC 5322 section 2.1.1",
)
BARE_LINE_END = Check(
    "bare-line-end", "error", "End every line with CR LF, and write neither of them alone", "RFC 5322 section 2.3"
)
LARGE_MESSAGE = Check(
    "large-message",
    "warning",
    "Put the files where they can be downloaded, and send links",
    "https://support.apple.com/en-us/102198",
)
NO_TEXT_PART = Check(
    "no-text-part", "warning", "Add the same content as text/plain, before the HTML", "RFC 2046 section 5.1.4"
)

# Its headers.
NO_FROM = Check("no-from", "error", "Name the sender in From", "RFC 5322 section 3.6.2")
NO_DATE = Check("no-date", "warning", "Write Date when the message is made", "RFC 5322 section 3.6.1")
NO_MESSAGE_ID = Check("no-message-id", "warning", "Write a Message-ID at the sender's domain", "RFC 5322 section 3.6.4")
BAD_ADDRESS = Check("bad-address", "error", "Correct the address", "RFC 5322 section 3.4")
NOT_SENDABLE = Check(
    "not-sendable", "error", "Correct it: postroom refuses this message before any network", "RFC 5322 section 2.2"
)
NON_ASCII_LOCAL_PART = Check(
    "non-ascii-local-part",
    "warning",
    "Use an address in ASCII: many servers do not offer SMTPUTF8",
    "RFC 6531 section 3.2",
)
PLACEHOLDER_SENDER = Check(
    "placeholder-sender", "warning", "Send from an address at a domain of your own", "RFC 2606 section 3"
)
FROM_NOT_LOGIN = Check(
    "from-not-login",
    "warning",
    "Send from the domain of the login, or make sure that the server permits this one",
    "RFC 6409 section 6.1",
)
UNSUBSCRIBE_WITHOUT_POST = Check(
    "unsubscribe-without-post",
    "warning",
    "Add List-Unsubscribe-Post: List-Unsubscribe=One-Click if the mail is a subscription",
    "https://support.google.com/mail/answer/81126",
)
POST_WITHOUT_UNSUBSCRIBE = Check(
    "post-without-unsubscribe",
    "error",
    "Add List-Unsubscribe with an https URI, or leave out List-Unsubscribe-Post",
    "RFC 8058 section 3.1",
)
UNSUBSCRIBE_NO_HTTPS = Check(
    "unsubscribe-no-https", "error", "Put an https URI into List-Unsubscribe", "RFC 8058 section 3.1"
)
UNSUBSCRIBE_POST_VALUE = Check(
    "unsubscribe-post-value",
    "error",
    "Write List-Unsubscribe-Post: List-Unsubscribe=One-Click and nothing else",
    "RFC 8058 section 3.1",
)

# The provider.
PROVIDER_CAPABILITY = Check(
    "provider-capability", "error", "Leave it out, or send by another provider", "the provider's declaration"
)
PROVIDER_LIMIT = Check(
    "provider-limit", "error", "Keep to the limit, or send by another provider", "the page that the provider names"
)

# HTML, of a message or a template.
NOT_UTF_8 = Check(
    "not-utf-8", "error", "Save the file as UTF-8", "https://html.spec.whatwg.org/multipage/semantics.html#charset"
)
NO_TEXT_FILE = Check(
    "no-text-file", "warning", "Write the same content as plain text into a file of this name in .txt", _HTML_MAIL
)
HTML_CLIPPED = Check(
    "html-clipped",
    "warning",
    "Shorten the HTML, and say the rest on a page",
    "https://www.spamresource.com/2022/01/what-is-gmail-clipping-and-what-to-do.html",
)
DATA_IMAGE = Check(
    "data-image",
    "warning",
    "Attach the image and refer to it as cid:, or put it on a server",
    "https://www.caniemail.com/features/image-base64/",
)
RELATIVE_IMAGE = Check("relative-image", "error", "Write the whole address, with https://", _HTML_MAIL)
INSECURE_IMAGE = Check(
    "insecure-image",
    "warning",
    "Serve the image by https",
    "https://developer.mozilla.org/en-US/docs/Web/Security/Mixed_content",
)
SCRIPT = Check(
    "script",
    "error",
    "Leave the script out, and put what it does on a page",
    "https://help.goacoustic.com/hc/en-us/articles/360043608773-Email-limitations-and-restrictions",
)
EXTERNAL_STYLESHEET = Check(
    "external-stylesheet",
    "error",
    "Write the styles into the elements, or into <style>",
    "https://www.caniemail.com/features/html-link/",
)
RELATIVE_LINK = Check(
    "relative-link", "error", "Write the whole address, with https://: a mail has no page to start from", _HTML_MAIL
)
EMPTY_LINK = Check("empty-link", "error", "Write the address that the link leads to", "RFC 3986 section 4.4")

# The DNS.
DNS_UNANSWERED = Check(
    "dns-unanswered", "warning", "Try again, or ask another server with --nameserver", "RFC 1035 section 7.2"
)
SPF_MISSING = Check(
    "spf-missing",
    "warning",
    "Publish a TXT record v=spf1 that names who sends for the domain, as the provider describes it",
    "RFC 7208 section 3",
)
SPF_SEVERAL = Check("spf-several", "error", "Merge the records into one", "RFC 7208 section 3.2")
SPF_MALFORMED = Check(
    "spf-malformed", "error", "Correct the record: as it is, receivers ignore all of it", "RFC 7208 section 4.6"
)
SPF_LOOKUPS = Check(
    "spf-lookups",
    "error",
    "Leave out what no longer sends, or write ip4 and ip6 in place of names",
    "RFC 7208 section 4.6.4",
)
SPF_ALLOWS_ALL = Check("spf-allows-all", "error", "End the record with -all or ~all", "RFC 7208 section 5.1")
SPF_UNDECIDED = Check("spf-undecided", "warning", "End the record with -all or ~all", "RFC 7208 section 5.1")
DMARC_MISSING = Check(
    "dmarc-missing",
    "error",
    "Publish v=DMARC1; p=none; rua=mailto:… at _dmarc, read the reports, and then ask for quarantine or reject",
    "RFC 9989 section 4.10.1",
)
DMARC_MALFORMED = Check(
    "dmarc-malformed",
    "error",
    "Publish one record that begins with v=DMARC1; p= and none, quarantine or reject",
    "RFC 9989 section 4.7",
)
DMARC_NONE = Check(
    "dmarc-none",
    "warning",
    "Ask for quarantine or reject when the reports show that your own mail passes",
    "RFC 9989 section 4.7",
)
DKIM_MALFORMED = Check(
    "dkim-malformed", "error", "Let the provider or the mail server sign anew", "RFC 6376 section 3.5"
)
DKIM_NO_KEY = Check("dkim-no-key", "error", "Publish the key record that the provider shows", "RFC 6376 section 3.6.2")
DKIM_REVOKED = Check(
    "dkim-revoked", "error", "Sign with a key that is in use, or publish a new one", "RFC 6376 section 3.6.1"
)
DKIM_NOT_ALIGNED = Check(
    "dkim-not-aligned",
    "warning",
    "Have the mail signed by the domain of From, as the provider describes it for domains of your own",
    "RFC 9989 section 3.2.10",
)
NO_MX = Check(
    "no-mx", "warning", "Publish an MX record, so that answers and bounces reach somebody", "RFC 5321 section 5.1"
)
NULL_MX = Check("null-mx", "warning", "Send from a domain that takes mail", "RFC 7505 section 4.2")
