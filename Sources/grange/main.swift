print("grange")
