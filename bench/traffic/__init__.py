"""What routes do under load: figures, on a namespace and a Traefik of its own."""
