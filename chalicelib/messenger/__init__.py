"""The visitor's side: `/widget/v1`, what a chat on a site may do and see."""
