"""How well are right and wrong answers told apart?

bank       answers of others, right and wrong, that nobody edited together
disguises  the same answers in other dtypes, strides and clothes: they must not earn more
matrix     all of it as a table, `autograder audit`
unseen     answers that the checks have never seen, `autograder audit --unseen FOLDER`
book       promises and mistakes as a document to read, `autograder book`
"""
