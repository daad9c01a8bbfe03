"""Mail by the API of Twilio SendGrid: https://www.twilio.com/docs/sendgrid/api-reference."""
