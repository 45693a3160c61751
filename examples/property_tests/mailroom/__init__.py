"""A team's mailroom: customer mails go to the desk that answers them."""
