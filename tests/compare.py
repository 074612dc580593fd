"""Run two implementations on the same inputs, and compare outputs and gradients."""

from copy import deepcopy

import torch


def randomise(module):
    """Random numbers for every parameter: at their first values, ones and zeros hide mistakes."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5 if parameter.dim() == 1 else parameter.shape[-1] ** -0.5)
    return module


def outputs_and_gradients(function, inputs, weigh):
    """function's outputs, and the gradients of a weighted sum of them for every input."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    outputs = function(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = sum((output * w).sum() for output, w in zip(outputs, weigh(outputs)))
    return outputs, torch.autograd.grad(loss, inputs)


def assert_same(ours, theirs, *inputs, tolerance=1e-10):
    """Both functions give the same outputs and the same gradients for all inputs."""
    drawn = []

    def weigh(outputs):
        if not drawn:
            drawn.extend(torch.randn_like(output) for output in outputs)
        return drawn

    our_outputs, our_gradients = outputs_and_gradients(ours, inputs, weigh)
    their_outputs, their_gradients = outputs_and_gradients(theirs, inputs, weigh)
    assert len(our_outputs) == len(their_outputs)
    for a, b in zip((*our_outputs, *our_gradients), (*their_outputs, *their_gradients)):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, atol=tolerance, rtol=0)


def assert_same_module(theirs, ours, copy, run_theirs, run_ours, *inputs, tolerance=1e-10):
    """Two modules with the same weights give the same outputs and the same gradients.

    copy(theirs, ours) copies the weights. It also carries their gradients over: a twin of theirs
    that has the gradients for weights is copied into a twin of ours.
    """
    randomise(theirs)
    copy(theirs, ours)
    assert_same(run_ours, run_theirs, *inputs, tolerance=tolerance)

    weight = None
    for run in (run_theirs, run_ours):
        output = run(*inputs)
        weight = torch.randn_like(output) if weight is None else weight
        (output * weight).sum().backward()
    their_gradients, expected = deepcopy(theirs), deepcopy(ours)
    with torch.no_grad():
        for twin, parameter in zip(their_gradients.parameters(), theirs.parameters()):
            twin.copy_(parameter.grad)
        copy(their_gradients, expected)
    for (name, parameter), twin in zip(ours.named_parameters(), expected.parameters()):
        torch.testing.assert_close(
            parameter.grad, twin.detach(), atol=tolerance, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
        )
