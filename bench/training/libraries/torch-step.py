"""The Python side of torch.js: each line of standard input, a JSON value, is answered by one of standard output."""
import json
import sys

import torch
from torch.nn import functional as F

torch.set_num_threads(1)


def answer(value):
    print(json.dumps(value), flush=True)


given = json.loads(sys.stdin.readline())
convolutions, shape = given["convolutions"], given["shape"]
source = torch.tensor(given["input"]).reshape(shape)
target = torch.tensor(given["target"]).reshape(shape)
weights = [
    torch.tensor(c["weight"]).reshape(c["outChannels"], c["inChannels"], c["kernelSize"]).requires_grad_()
    for c in convolutions
]
biases = [None if c["bias"] is None else torch.tensor(c["bias"]).requires_grad_() for c in convolutions]
parameters = [p for pair in zip(weights, biases) for p in pair if p is not None]
optimizer = torch.optim.SGD(parameters, lr=given["learningRate"])


def forward(signal):
    order = iter(range(len(convolutions)))

    def conv(x):
        i = next(order)
        before = (convolutions[i]["kernelSize"] - 1) * convolutions[i]["dilation"]
        return F.conv1d(F.pad(x, (before, 0)), weights[i], biases[i], dilation=convolutions[i]["dilation"])

    x, head = conv(signal), None
    for layer in range(given["layers"]):
        z = F.leaky_relu(conv(x) + conv(signal), 0.01)
        head = z if head is None else head + z
        if layer < given["layers"] - 1:
            x = x + conv(z)
    return conv(head)


answer(torch.__version__)
for line in sys.stdin:
    if json.loads(line) == "step":
        optimizer.zero_grad()
        F.mse_loss(forward(source), target).backward()
        optimizer.step()
        answer(None)
    else:
        answer([value for p in parameters for value in p.grad.flatten().tolist()])
