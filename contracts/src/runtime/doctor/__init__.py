"""What `doctor` of every process is made of: each looks at what its own credentials show, and says what is wrong."""
