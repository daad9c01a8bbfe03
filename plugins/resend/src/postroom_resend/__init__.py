"""Mail by the API of Resend: https://resend.com/docs/api-reference."""
