import internvit

model = internvit.open("bundled")
seen = model.look("coffee.png", "similarity", layer=12, centred=True, at=[325, 175], size=112, resize="native", edges="photograph")
print(seen.data.shape)  # the values; seen.over(0.75) is the picture, an array
seen.save("coffee-similarity.png")
