"""alice's network, bob's images: bob alone gets the predictions."""

import torch

import analytics as an
import icm_ray as icm

torch.manual_seed(0)
net = torch.nn.Sequential(
    torch.nn.Conv2d(3, 8, 3, padding=1),
    torch.nn.BatchNorm2d(8),
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(8 * 8 * 8, 7),
).eval()
images = torch.rand(6, 3, 16, 16)

with icm.Session(parties=("alice", "bob")) as session:
    model = an.SecureModel(session, net, owner="alice", example_inputs=(images[:2],))
    assert not model.preflight()
    prediction = model.predict(images, owner="bob")
    print(prediction.explain())
    logits = prediction.reveal(to="bob")
    labels = model.predict(images, owner="bob", output="label").reveal(to="bob")

plain = net(images).detach().numpy()
print("largest difference:", abs(logits - plain).max(), "stated bound:", prediction.error)
print("labels:", labels, "plain:", plain.argmax(axis=1))
assert abs(logits - plain).max() <= prediction.error
