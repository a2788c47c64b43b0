from attnviz.tasks import load_demo_sentences
from attnviz.text import tokenize


def test_the_sentences_that_ship_can_be_read_and_drawn():
    sentences = load_demo_sentences()

    assert len(sentences) == len(set(sentences.ids)) == len(set(sentences.texts)) >= 14
    assert 6 <= sentences.labels.sum() <= len(sentences) - 6
    lengths = [len(tokenize(text)) for text in sentences.texts]
    assert 10 <= min(lengths) < max(lengths) <= 250
    assert not any("<" in text or text != text.strip() for text in sentences.texts)
    assert any("é" in text and '"' in text for text in sentences.texts)
